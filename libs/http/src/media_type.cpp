// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/http/media_type.hpp>

#include <stile/base/text.hpp>

#include <algorithm>
#include <array>

namespace stile::http {

namespace {

struct Entry {
    std::string_view suffix;
    std::string_view media_type;
};

// In the order of the suffixes.
// clang-format off
constexpr std::array<Entry, 204> entries{{
    {"3g2", "video/3gpp2"},
    {"3gp", "video/3gpp"},
    {"7z", "application/x-7z-compressed"},
    {"aac", "audio/aac"},
    {"ac3", "audio/ac3"},
    {"adoc", "text/plain; charset=utf-8"},
    {"aif", "audio/aiff"},
    {"aiff", "audio/aiff"},
    {"amr", "audio/AMR"},
    {"ape", "audio/x-ape"},
    {"apk", "application/vnd.android.package-archive"},
    {"apng", "image/apng"},
    {"appimage", "application/x-executable"},
    {"asc", "application/pgp-signature"},
    {"asf", "video/x-ms-asf"},
    {"atom", "application/atom+xml"},
    {"au", "audio/basic"},
    {"avi", "video/x-msvideo"},
    {"avif", "image/avif"},
    {"azw3", "application/vnd.amazon.ebook"},
    {"bin", "application/octet-stream"},
    {"bmp", "image/bmp"},
    {"br", "application/x-brotli"},
    {"bz2", "application/x-bzip2"},
    {"c", "text/plain; charset=utf-8"},
    {"cab", "application/vnd.ms-cab-compressed"},
    {"caf", "audio/x-caf"},
    {"cbr", "application/vnd.comicbook-rar"},
    {"cbz", "application/vnd.comicbook+zip"},
    {"cc", "text/plain; charset=utf-8"},
    {"conf", "text/plain; charset=utf-8"},
    {"cpp", "text/plain; charset=utf-8"},
    {"cr2", "image/x-canon-cr2"},
    {"crt", "application/x-x509-ca-cert"},
    {"css", "text/css; charset=utf-8"},
    {"csv", "text/csv; charset=utf-8"},
    {"cue", "text/plain; charset=utf-8"},
    {"db", "application/octet-stream"},
    {"deb", "application/vnd.debian.binary-package"},
    {"diff", "text/plain; charset=utf-8"},
    {"divx", "video/x-msvideo"},
    {"djvu", "image/vnd.djvu"},
    {"dmg", "application/x-apple-diskimage"},
    {"dng", "image/x-adobe-dng"},
    {"doc", "application/msword"},
    {"docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
    {"eml", "message/rfc822"},
    {"eps", "application/postscript"},
    {"epub", "application/epub+zip"},
    {"exe", "application/vnd.microsoft.portable-executable"},
    {"flac", "audio/flac"},
    {"flatpak", "application/vnd.flatpak"},
    {"flv", "video/x-flv"},
    {"geojson", "application/geo+json"},
    {"gif", "image/gif"},
    {"glb", "model/gltf-binary"},
    {"gltf", "model/gltf+json"},
    {"go", "text/plain; charset=utf-8"},
    {"gpx", "application/gpx+xml"},
    {"gz", "application/gzip"},
    {"h", "text/plain; charset=utf-8"},
    {"har", "application/json"},
    {"heic", "image/heic"},
    {"heif", "image/heif"},
    {"hpp", "text/plain; charset=utf-8"},
    {"htm", "text/html; charset=utf-8"},
    {"html", "text/html; charset=utf-8"},
    {"ico", "image/vnd.microsoft.icon"},
    {"ics", "text/calendar; charset=utf-8"},
    {"ini", "text/plain; charset=utf-8"},
    {"ipynb", "application/x-ipynb+json"},
    {"iso", "application/x-iso9660-image"},
    {"jar", "application/java-archive"},
    {"java", "text/plain; charset=utf-8"},
    {"jp2", "image/jp2"},
    {"jpe", "image/jpeg"},
    {"jpeg", "image/jpeg"},
    {"jpg", "image/jpeg"},
    {"js", "text/javascript; charset=utf-8"},
    {"json", "application/json"},
    {"jsonld", "application/ld+json"},
    {"jxl", "image/jxl"},
    {"kml", "application/vnd.google-earth.kml+xml"},
    {"kmz", "application/vnd.google-earth.kmz"},
    {"log", "text/plain; charset=utf-8"},
    {"lua", "text/plain; charset=utf-8"},
    {"lz", "application/x-lzip"},
    {"lz4", "application/x-lz4"},
    {"m2ts", "video/mp2t"},
    {"m2v", "video/mpeg"},
    {"m3u", "audio/mpegurl"},
    {"m3u8", "application/vnd.apple.mpegurl"},
    {"m4a", "audio/mp4"},
    {"m4b", "audio/mp4"},
    {"m4v", "video/mp4"},
    {"markdown", "text/markdown; charset=utf-8"},
    {"mbox", "application/mbox"},
    {"md", "text/markdown; charset=utf-8"},
    {"meta4", "application/metalink4+xml"},
    {"metalink", "application/metalink+xml"},
    {"mid", "audio/midi"},
    {"midi", "audio/midi"},
    {"mjs", "text/javascript; charset=utf-8"},
    {"mka", "audio/x-matroska"},
    {"mkv", "video/matroska"},
    {"mobi", "application/x-mobipocket-ebook"},
    {"mod", "audio/x-mod"},
    {"mov", "video/quicktime"},
    {"mp2", "audio/mpeg"},
    {"mp3", "audio/mpeg"},
    {"mp4", "video/mp4"},
    {"mpd", "application/dash+xml"},
    {"mpe", "video/mpeg"},
    {"mpeg", "video/mpeg"},
    {"mpg", "video/mpeg"},
    {"msi", "application/x-msi"},
    {"mts", "video/mp2t"},
    {"nef", "image/x-nikon-nef"},
    {"nfo", "text/plain; charset=utf-8"},
    {"obj", "model/obj"},
    {"odg", "application/vnd.oasis.opendocument.graphics"},
    {"odp", "application/vnd.oasis.opendocument.presentation"},
    {"ods", "application/vnd.oasis.opendocument.spreadsheet"},
    {"odt", "application/vnd.oasis.opendocument.text"},
    {"oga", "audio/ogg"},
    {"ogg", "audio/ogg"},
    {"ogv", "video/ogg"},
    {"opml", "text/x-opml; charset=utf-8"},
    {"opus", "audio/ogg"},
    {"otf", "font/otf"},
    {"p7s", "application/pkcs7-signature"},
    {"patch", "text/plain; charset=utf-8"},
    {"pcap", "application/vnd.tcpdump.pcap"},
    {"pdf", "application/pdf"},
    {"pem", "application/x-pem-file"},
    {"pgp", "application/pgp-encrypted"},
    {"pl", "text/plain; charset=utf-8"},
    {"pls", "audio/x-scpls"},
    {"png", "image/png"},
    {"ppt", "application/vnd.ms-powerpoint"},
    {"pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"},
    {"ps", "application/postscript"},
    {"psd", "image/vnd.adobe.photoshop"},
    {"py", "text/plain; charset=utf-8"},
    {"qcow2", "application/x-qemu-disk"},
    {"qt", "video/quicktime"},
    {"ra", "audio/vnd.rn-realaudio"},
    {"rar", "application/vnd.rar"},
    {"rb", "text/plain; charset=utf-8"},
    {"rpm", "application/x-rpm"},
    {"rs", "text/plain; charset=utf-8"},
    {"rss", "application/rss+xml"},
    {"rst", "text/plain; charset=utf-8"},
    {"rtf", "application/rtf"},
    {"sh", "text/plain; charset=utf-8"},
    {"sig", "application/pgp-signature"},
    {"spx", "audio/ogg"},
    {"sql", "text/plain; charset=utf-8"},
    {"sqlite", "application/vnd.sqlite3"},
    {"srt", "text/plain; charset=utf-8"},
    {"stl", "model/stl"},
    {"svg", "image/svg+xml"},
    {"svgz", "image/svg+xml"},
    {"swf", "application/x-shockwave-flash"},
    {"tar", "application/x-tar"},
    {"tbz2", "application/x-bzip2"},
    {"tex", "text/plain; charset=utf-8"},
    {"tgz", "application/gzip"},
    {"tif", "image/tiff"},
    {"tiff", "image/tiff"},
    {"toml", "text/plain; charset=utf-8"},
    {"torrent", "application/x-bittorrent"},
    {"ts", "text/plain; charset=utf-8"},
    {"tsv", "text/tab-separated-values; charset=utf-8"},
    {"ttf", "font/ttf"},
    {"txt", "text/plain; charset=utf-8"},
    {"txz", "application/x-xz"},
    {"vcf", "text/vcard; charset=utf-8"},
    {"vob", "video/mpeg"},
    {"vtt", "text/vtt; charset=utf-8"},
    {"wasm", "application/wasm"},
    {"wav", "audio/wav"},
    {"weba", "audio/webm"},
    {"webm", "video/webm"},
    {"webmanifest", "application/manifest+json"},
    {"webp", "image/webp"},
    {"wma", "audio/x-ms-wma"},
    {"wmv", "video/x-ms-wmv"},
    {"woff", "font/woff"},
    {"woff2", "font/woff2"},
    {"xcf", "image/x-xcf"},
    {"xhtml", "application/xhtml+xml"},
    {"xls", "application/vnd.ms-excel"},
    {"xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
    {"xm", "audio/x-xm"},
    {"xml", "application/xml"},
    {"xsl", "application/xml"},
    {"xslt", "application/xml"},
    {"xspf", "application/xspf+xml"},
    {"xz", "application/x-xz"},
    {"yaml", "application/yaml"},
    {"yml", "application/yaml"},
    {"zip", "application/zip"},
    {"zst", "application/zstd"},
}};
// clang-format on

static_assert(std::is_sorted(entries.begin(), entries.end(),
                             [](const Entry& left, const Entry& right) {
                                 return left.suffix < right.suffix;
                             }));

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> list) {
    return std::find(list.begin(), list.end(), text) != list.end();
}

}  // namespace

std::string_view media_type_of(std::string_view file_name) {
    constexpr std::string_view unknown = "application/octet-stream";
    const std::size_t dot = file_name.rfind('.');
    if (dot == std::string_view::npos) return unknown;
    const std::string suffix = to_lower(file_name.substr(dot + 1));
    const auto* found = std::lower_bound(
        entries.begin(), entries.end(), suffix,
        [](const Entry& entry, const std::string& wanted) { return entry.suffix < wanted; });
    return found != entries.end() && found->suffix == suffix ? found->media_type : unknown;
}

std::string essence(std::string_view media_type) {
    return to_lower(trim(media_type.substr(0, media_type.find(';'))));
}

MediaKind kind_of(std::string_view media_type) {
    const std::string type = essence(media_type);
    if (is_one_of(type, {"application/rss+xml", "application/atom+xml", "text/x-opml"})) {
        return MediaKind::Feed;
    }
    if (is_one_of(type, {"application/zip", "application/gzip", "application/x-tar",
                         "application/x-bzip2", "application/x-xz", "application/zstd",
                         "application/x-7z-compressed", "application/vnd.rar"})) {
        return MediaKind::Archive;
    }
    if (type.starts_with("audio/")) return MediaKind::Audio;
    if (type.starts_with("video/")) return MediaKind::Video;
    if (type.starts_with("image/")) return MediaKind::Image;
    const bool document = is_one_of(
        type, {"application/pdf", "application/epub+zip", "application/rtf", "application/msword"});
    if (type.starts_with("text/") || document) return MediaKind::Text;
    return MediaKind::Other;
}

}  // namespace stile::http
