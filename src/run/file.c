/* file.c - a small file as a whole, and writing all there is. */
#include "run/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static bool read_all(int fd, size_t octets, struct buffer *to)
{
    uint8_t *at = buffer_reserve(to, octets);
    size_t done = 0;
    while (at && done < octets) {
        ssize_t count = read(fd, at + done, octets - done);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return false;
        if (count == 0)
            break; /* shorter than it was */
        done += (size_t)count;
    }
    to->len += done;
    if (!at)
        errno = ENOMEM;
    return at != NULL;
}

bool file_read(const char *path, struct buffer *to, bool *denied_out, struct error *e)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    *denied_out = fd < 0 && (errno == EACCES || errno == EPERM);
    if (fd < 0)
        return error_system(e, ERROR_CONFIG, errno, "cannot read %s", path);
    bool done = fstat(fd, &status) == 0;
    int number = errno;
    if (done && (!S_ISREG(status.st_mode) || (uint64_t)status.st_size > to->max - to->len)) {
        close(fd);
        return error_set(e, ERROR_CONFIG, "%s is %s", path,
                         S_ISREG(status.st_mode) ? "too large" : "no file");
    }
    if (done) {
        done = read_all(fd, (size_t)status.st_size, to);
        number = errno;
    }
    close(fd);
    return done || error_system(e, ERROR_TEMPORARY, number, "cannot read %s", path);
}

bool file_write_all(int file, struct bytes octets)
{
    while (octets.len > 0) {
        ssize_t written = write(file, octets.at, octets.len);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return false;
        octets = (struct bytes){ octets.at + written, octets.len - (size_t)written };
    }
    return true;
}
