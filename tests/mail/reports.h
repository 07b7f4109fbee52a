/* reports.h - reports for tests to write: one for each form that a report can take. */
#ifndef TESTS_MAIL_REPORTS_H
#define TESTS_MAIL_REPORTS_H

#include "mail/dsn.h"

enum { REPORT_RECIPIENTS_MAX = 5 };

struct sample {
    const char *name;
    struct dsn_report report;
    struct dsn_recipient recipients[REPORT_RECIPIENTS_MAX];
};

/* Fills *out, whose report points into it; false past the last. */
bool sample_report(size_t index, struct sample *out);

#endif
