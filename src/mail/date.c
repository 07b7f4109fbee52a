/* date.c - dates as text: RFC 5322 3.3 and 4.3, RFC 3339 5.6, and those of mbox files (RFC 4155).
 *
 * The calendar is the proleptic Gregorian one, reckoned here: the C library's functions would look
 * at the environment and at files for a zone.  A leap second is the second behind it.
 */
#include "mail/date.h"

#include "mail/header.h"

#include <string.h>

enum { MS = 1000, MINUTE = 60, HOUR = 3600, DAY = 86400, YEAR_MIN = 1900, YEAR_MAX = 9999 };

static const char day_names[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
static const char month_names[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };

/*
 * The calendar.  Days count from 1970-01-01, months and weekdays (from Sunday) from 0.
 */

struct moment {
    int64_t year;
    int month, day, weekday;
    int hour, minute, second, millisecond;
};

/* Rounds down, as the remainder that goes with it is never negative. */
static int64_t divide(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static bool is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int month_days(int64_t year, int month)
{
    static const int days[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    return days[month] + (month == 1 && is_leap(year));
}

/* The day on which a year begins. */
static int64_t year_start(int64_t year)
{
    enum { LEAPS_BEFORE_1970 = 477 };
    int64_t last = year - 1;
    int64_t leaps = divide(last, 4) - divide(last, 100) + divide(last, 400);
    return 365 * (year - 1970) + leaps - LEAPS_BEFORE_1970;
}

static int64_t day_number(int64_t year, int month, int day)
{
    int64_t days = year_start(year) + day - 1;
    for (int m = 0; m < month; m++)
        days += month_days(year, m);
    return days;
}

static struct moment moment_of(int64_t ms)
{
    int64_t seconds = divide(ms, MS);
    int64_t days = divide(seconds, DAY);
    int in_day = (int)(seconds - days * DAY);
    struct moment m = { .year = 1970 + divide(days * 400, 146097) };
    while (year_start(m.year) > days)
        m.year--;
    while (year_start(m.year + 1) <= days)
        m.year++;
    m.day = (int)(days - year_start(m.year)) + 1;
    for (; m.day > month_days(m.year, m.month); m.month++)
        m.day -= month_days(m.year, m.month);
    m.weekday = (int)(days + 4 - divide(days + 4, 7) * 7);
    m.hour = in_day / HOUR;
    m.minute = in_day / MINUTE % 60;
    m.second = in_day % 60;
    m.millisecond = (int)(ms - seconds * MS);
    return m;
}

/*
 * Printing: each function writes at `to` and returns where it ends.  Not by snprintf(), which would
 * be one of the dearer steps of a message.
 */

static char *put_char(char *to, char c)
{
    *to = c;
    return to + 1;
}

static char *put_name(char *to, const char name[4])
{
    memcpy(to, name, 3);
    return to + 3;
}

static char *put_number(char *to, int number, unsigned digits_min)
{
    return text_put_u64(to, (uint64_t)number, digits_min);
}

/* At least four characters, one of them the sign of a year before the first. */
static char *put_year(char *to, int64_t year)
{
    if (year >= 0)
        return text_put_u64(to, (uint64_t)year, 4);
    return text_put_u64(put_char(to, '-'), (uint64_t)-year, 3);
}

static char *put_clock(char *to, const struct moment *m)
{
    to = put_char(put_number(to, m->hour, 2), ':');
    to = put_char(put_number(to, m->minute, 2), ':');
    return put_number(to, m->second, 2);
}

static struct text terminate(char *from, char *to)
{
    *to = 0;
    return (struct text){ from, (size_t)(to - from) };
}

struct text date_rfc5322(int64_t wall_ms, int zone_seconds, char out[DATE_TEXT_MAX])
{
    int zone = zone_seconds / MINUTE % (24 * 60); /* the text knows minutes only */
    struct moment m = moment_of(wall_ms + (int64_t)zone * MINUTE * MS);
    int east = zone < 0 ? -zone : zone;
    char *to = put_char(put_char(put_name(out, day_names[m.weekday]), ','), ' ');
    to = put_char(put_number(to, m.day, 1), ' ');
    to = put_char(put_name(to, month_names[m.month]), ' ');
    to = put_char(put_year(to, m.year), ' ');
    to = put_char(put_clock(to, &m), ' ');
    to = put_char(to, zone < 0 ? '-' : '+');
    to = put_number(put_number(to, east / 60, 2), east % 60, 2);
    return terminate(out, to);
}

struct text date_rfc3339(int64_t wall_ms, bool milliseconds, char out[DATE_TEXT_MAX])
{
    struct moment m = moment_of(wall_ms);
    char *to = put_char(put_year(out, m.year), '-');
    to = put_char(put_number(to, m.month + 1, 2), '-');
    to = put_char(put_number(to, m.day, 2), 'T');
    to = put_clock(to, &m);
    if (milliseconds)
        to = put_number(put_char(to, '.'), m.millisecond, 3);
    return terminate(out, put_char(to, 'Z'));
}

struct text date_asctime(int64_t wall_ms, char out[DATE_TEXT_MAX])
{
    struct moment m = moment_of(wall_ms);
    char *to = put_char(put_name(out, day_names[m.weekday]), ' ');
    to = put_char(put_name(to, month_names[m.month]), ' ');
    if (m.day < 10)
        to = put_char(to, ' ');
    to = put_char(put_number(to, m.day, 1), ' ');
    return terminate(out, put_year(put_char(put_clock(to, &m), ' '), m.year));
}

/*
 * Reading.  Every function takes what it reads off the front of *t.
 */

static bool take_char(struct text *t, char c)
{
    header_skip_space(t);
    if (t->len == 0 || t->at[0] != c)
        return false;
    *t = text_skip(*t, 1);
    return true;
}

/* Returns how many digits the number has, 0 if they are not between `least` and `most`. */
static size_t take_number(struct text *t, size_t least, size_t most, int *out)
{
    size_t digits = 0;
    header_skip_space(t);
    for (*out = 0; digits < t->len && digits <= most && text_is_digit(t->at[digits]); digits++)
        *out = *out * 10 + (t->at[digits] - '0');
    if (digits < least || digits > most)
        return 0;
    *t = text_skip(*t, digits);
    return digits;
}

static struct text take_letters(struct text *t)
{
    size_t len = 0;
    header_skip_space(t);
    while (len < t->len && text_lower(t->at[len]) >= 'a' && text_lower(t->at[len]) <= 'z')
        len++;
    struct text letters = text_first(*t, len);
    *t = text_skip(*t, len);
    return letters;
}

/* Takes one of `count` names of three letters. */
static bool take_name(struct text *t, const char (*names)[4], int count, int *out)
{
    struct text letters = take_letters(t);
    for (*out = 0; *out < count; (*out)++)
        if (text_equal_nocase(letters, (struct text){ names[*out], 3 }))
            return true;
    return false;
}

/* The name of the day may be missing, and is not asked to agree with the date. */
static bool take_weekday(struct text *t)
{
    int weekday;
    header_skip_space(t);
    if (t->len && text_is_digit(t->at[0]))
        return true;
    return take_name(t, day_names, 7, &weekday) && take_char(t, ',');
}

/* RFC 5322 4.3: years of two and three digits. */
static bool take_year(struct text *t, int *out)
{
    size_t digits = take_number(t, 2, 4, out);
    if (digits == 2 && *out < 50)
        *out += 2000;
    else if (digits == 2 || digits == 3)
        *out += 1900;
    return digits && *out >= YEAR_MIN && *out <= YEAR_MAX;
}

static bool take_time(struct text *t, int *seconds_out)
{
    int hour, minute, second = 0;
    if (!take_number(t, 2, 2, &hour) || !take_char(t, ':') || !take_number(t, 2, 2, &minute))
        return false;
    if (take_char(t, ':') && !take_number(t, 2, 2, &second))
        return false;
    *seconds_out = hour * HOUR + minute * MINUTE + second;
    return hour < 24 && minute < 60 && second <= 60;
}

/* RFC 5322 4.3: the names that mean something; every other one is -0000. */
static int named_zone_hours(struct text name)
{
    static const struct {
        struct text name;
        int hours;
    } zones[] = {
        { TEXT("EDT"), -4 }, { TEXT("EST"), -5 }, { TEXT("CDT"), -5 }, { TEXT("CST"), -6 },
        { TEXT("MDT"), -6 }, { TEXT("MST"), -7 }, { TEXT("PDT"), -7 }, { TEXT("PST"), -8 },
    };
    for (size_t i = 0; i < sizeof zones / sizeof *zones; i++)
        if (text_equal_nocase(name, zones[i].name))
            return zones[i].hours;
    return 0;
}

static bool take_zone(struct text *t, int *seconds_out)
{
    int digits;
    bool west = take_char(t, '-');
    if (!west && !take_char(t, '+')) {
        struct text name = take_letters(t);
        *seconds_out = named_zone_hours(name) * HOUR;
        return name.len > 0;
    }
    if (!take_number(t, 4, 4, &digits) || digits % 100 >= 60)
        return false;
    *seconds_out = digits / 100 * HOUR + digits % 100 * MINUTE;
    if (west)
        *seconds_out = -*seconds_out;
    return true;
}

bool date_parse_rfc5322(struct text t, int64_t *wall_ms_out)
{
    int day, month, year, seconds, zone;
    if (!take_weekday(&t) || !take_number(&t, 1, 2, &day) ||
        !take_name(&t, month_names, 12, &month) || !take_year(&t, &year))
        return false;
    if (!take_time(&t, &seconds) || !take_zone(&t, &zone))
        return false;
    header_skip_space(&t);
    if (t.len || day < 1 || day > month_days(year, month))
        return false;
    *wall_ms_out = (day_number(year, month, day) * DAY + seconds - zone) * MS;
    return true;
}

/* The zone behind the time, or behind the year: at most one of them. */
static bool take_year_and_zone(struct text *t, int *year, int *zone)
{
    *zone = 0;
    header_skip_space(t);
    bool zone_first = t->len > 0 && !text_is_digit(t->at[0]);
    if ((zone_first && !take_zone(t, zone)) || !take_number(t, 4, 4, year))
        return false;
    header_skip_space(t);
    return t->len == 0 || (!zone_first && take_zone(t, zone));
}

bool date_parse_asctime(struct text t, int64_t *wall_ms_out)
{
    int weekday, day, month, year, seconds, zone;
    if (!take_name(&t, day_names, 7, &weekday) || !take_name(&t, month_names, 12, &month) ||
        !take_number(&t, 1, 2, &day) || !take_time(&t, &seconds) ||
        !take_year_and_zone(&t, &year, &zone))
        return false;
    header_skip_space(&t);
    if (t.len || year < YEAR_MIN || day < 1 || day > month_days(year, month))
        return false;
    *wall_ms_out = (day_number(year, month, day) * DAY + seconds - zone) * MS;
    return true;
}
