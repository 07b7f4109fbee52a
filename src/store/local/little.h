/* little.h - integers as the files hold them: little-endian, at any address. Pure. */
#ifndef STORE_LOCAL_LITTLE_H
#define STORE_LOCAL_LITTLE_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

static inline void little_put_u32(uint8_t *at, uint32_t value)
{
    value = htole32(value);
    memcpy(at, &value, sizeof value);
}
static inline void little_put_u64(uint8_t *at, uint64_t value)
{
    value = htole64(value);
    memcpy(at, &value, sizeof value);
}
static inline uint32_t little_u32(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return le32toh(value);
}
static inline uint64_t little_u64(const uint8_t *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return le64toh(value);
}

#endif
