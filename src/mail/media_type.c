/* media_type.c - a short table: what people send each other.
 *
 * It only helps: no decision about safety rests on it, and what is not in it is sent and saved just
 * as well.
 */
#include "mail/media_type.h"

/* An ending that stands for several types has the usual one first, and so has a type with several
 * endings. */
static const struct {
    struct text ending, type;
} kinds[] = {
    { TEXT("txt"), TEXT("text/plain") },
    { TEXT("log"), TEXT("text/plain") },
    { TEXT("html"), TEXT("text/html") },
    { TEXT("htm"), TEXT("text/html") },
    { TEXT("css"), TEXT("text/css") },
    { TEXT("csv"), TEXT("text/csv") },
    { TEXT("ics"), TEXT("text/calendar") },
    { TEXT("md"), TEXT("text/markdown") },
    { TEXT("vcf"), TEXT("text/vcard") },
    { TEXT("patch"), TEXT("text/x-patch") },
    { TEXT("diff"), TEXT("text/x-diff") },
    { TEXT("eml"), TEXT("message/rfc822") },
    { TEXT("eml"), TEXT("message/global") },
    { TEXT("txt"), TEXT("message/delivery-status") },
    { TEXT("jpg"), TEXT("image/jpeg") },
    { TEXT("jpeg"), TEXT("image/jpeg") },
    { TEXT("png"), TEXT("image/png") },
    { TEXT("gif"), TEXT("image/gif") },
    { TEXT("webp"), TEXT("image/webp") },
    { TEXT("svg"), TEXT("image/svg+xml") },
    { TEXT("tif"), TEXT("image/tiff") },
    { TEXT("tiff"), TEXT("image/tiff") },
    { TEXT("bmp"), TEXT("image/bmp") },
    { TEXT("heic"), TEXT("image/heic") },
    { TEXT("mp3"), TEXT("audio/mpeg") },
    { TEXT("ogg"), TEXT("audio/ogg") },
    { TEXT("opus"), TEXT("audio/ogg") },
    { TEXT("flac"), TEXT("audio/flac") },
    { TEXT("wav"), TEXT("audio/x-wav") },
    { TEXT("mp4"), TEXT("video/mp4") },
    { TEXT("webm"), TEXT("video/webm") },
    { TEXT("mov"), TEXT("video/quicktime") },
    { TEXT("pdf"), TEXT("application/pdf") },
    { TEXT("ps"), TEXT("application/postscript") },
    { TEXT("zip"), TEXT("application/zip") },
    { TEXT("gz"), TEXT("application/gzip") },
    { TEXT("tgz"), TEXT("application/gzip") },
    { TEXT("xz"), TEXT("application/x-xz") },
    { TEXT("zst"), TEXT("application/zstd") },
    { TEXT("tar"), TEXT("application/x-tar") },
    { TEXT("json"), TEXT("application/json") },
    { TEXT("xml"), TEXT("application/xml") },
    { TEXT("js"), TEXT("text/javascript") },
    { TEXT("rtf"), TEXT("application/rtf") },
    { TEXT("odt"), TEXT("application/vnd.oasis.opendocument.text") },
    { TEXT("ods"), TEXT("application/vnd.oasis.opendocument.spreadsheet") },
    { TEXT("odp"), TEXT("application/vnd.oasis.opendocument.presentation") },
    { TEXT("doc"), TEXT("application/msword") },
    { TEXT("docx"),
      TEXT("application/vnd.openxmlformats-officedocument.wordprocessingml.document") },
    { TEXT("xls"), TEXT("application/vnd.ms-excel") },
    { TEXT("xlsx"), TEXT("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet") },
    { TEXT("ppt"), TEXT("application/vnd.ms-powerpoint") },
    { TEXT("pptx"),
      TEXT("application/vnd.openxmlformats-officedocument.presentationml.presentation") },
    { TEXT("epub"), TEXT("application/epub+zip") },
    { TEXT("asc"), TEXT("application/pgp-signature") },
    { TEXT("p7s"), TEXT("application/pkcs7-signature") },
};

enum { KINDS = sizeof kinds / sizeof *kinds };

struct text media_type_of_name(struct text name)
{
    size_t dot = name.len;
    while (dot > 0 && name.at[dot - 1] != '.')
        dot--;
    struct text ending = text_skip(name, dot);
    for (size_t i = 0; dot > 0 && i < KINDS; i++)
        if (text_equal_nocase(ending, kinds[i].ending))
            return kinds[i].type;
    return T("application/octet-stream");
}

struct text media_type_ending(struct text type)
{
    for (size_t i = 0; i < KINDS; i++)
        if (text_equal_nocase(type, kinds[i].type))
            return kinds[i].ending;
    return T("bin");
}
