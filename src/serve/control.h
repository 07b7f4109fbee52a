/* control.h - DATA/control.sock: what the command line asks of a running server.
 *
 * One JSON object on a line each way; only root and the server's own user are heard.
 *   {"do":"reload","files":[["/path",123],...]}         the configuration is read again; files that
 *                                                       the caller can read follow, as octets
 *   {"do":"directory"}                                  users or aliases have changed
 *   {"do":"purge","mailbox":"16 hex digits"}            a mailbox and all in it are forgotten
 *   {"do":"queue","op":"hold","selectors":["all"]}      also retry, release, drop (queue/steer.h)
 *   {"do":"hops"}                                       next hops that do not answer
 *   {"do":"sandbox"}                                    whether it is whole: "whole" and "words"
 *   {"do":"import","mailbox":"...","address":"..."}     messages for a mailbox: answered with
 *                                                       {"ok":true} once no other import into it is
 *                                                       under way; then parcels (proto/parcel.h:
 *                                                       data, keep, drop, end), and the answer
 * Answer: {"ok":true} or {"ok":false,"kind":"refused|temporary|config","words":"..."};
 * to queue with "matched", "changed" and "busy", numbers of recipients; to hops with a list "hops"
 * of
 * {"name","next","waiting","last"}, next in milliseconds since 1970; to import with "stored", also
 * when it fails.
 */
#ifndef SERVE_CONTROL_H
#define SERVE_CONTROL_H

#include "serve/server.h"

/* Loop 0.  Takes the listening socket. */
bool control_start(struct server *, int socket, struct control **out, struct error *);
/* Closes the socket and every connection; what was begun goes on. */
void control_stop(struct control **);

#endif
