/* values.h - how each kind of value is read.  See value_reader in schema.h. */
#ifndef CONFIG_VALUES_H
#define CONFIG_VALUES_H

#include "config/schema.h"

value_reader value_text;     /* any words; may be empty */
value_reader value_secret;   /* likewise; the library keeps no copy */
value_reader value_name;     /* any words, not empty */
value_reader value_path;     /* made absolute against the file's folder */
value_reader value_place;    /* likewise, or "auto", or "off", which is nothing */
value_reader value_domain;   /* canonical; empty: as if not written */
value_reader value_address;  /* canonical; empty: none */
value_reader value_hop;      /* "host[:port]"; empty: none */
value_reader value_size;     /* octets */
value_reader value_duration; /* milliseconds */
value_reader value_count;    /* a plain number */
value_reader value_switch;   /* true, yes, on, false, no, off */
value_reader value_choice;   /* one of setting->choice */
value_reader value_ban;      /* "off" or a duration */

/* Elements of lists: each is appended to the draft's own list. */
value_reader value_listener;
value_reader value_trusted;
value_reader value_allow;
value_reader value_account;
value_reader value_retry;
value_reader value_resolver;

#endif
