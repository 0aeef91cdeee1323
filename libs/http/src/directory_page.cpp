// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/http/directory_page.hpp>

#include <stile/base/text.hpp>
#include <stile/http/date.hpp>
#include <stile/http/media_type.hpp>
#include <stile/http/path.hpp>

#include "page_frame.hpp"
#include "utf8.hpp"

#include <algorithm>
#include <array>

namespace stile::http {

namespace {

// For a person's eye: characters that turn the direction of the text could show "exe.txt" for a
// name that ends in "txt.exe", and are made visible instead.
std::string shown(std::string_view name) {
    std::string visible;
    while (!name.empty()) {
        const char32_t c = take_character(name);
        const bool turns = (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069) ||
                           c == 0x200E || c == 0x200F || c == 0x061C;
        append_utf8(visible, turns || c < 0x20 ? replacement_character : c);
    }
    return escape_markup(visible);
}

// "track 9" before "track 10", without regard to case.
bool natural_less(std::string_view left, std::string_view right) {
    while (!left.empty() && !right.empty()) {
        if (is_digit(left.front()) && is_digit(right.front())) {
            const auto number = [](std::string_view& text) {
                while (text.size() > 1 && text.front() == '0' && is_digit(text[1])) {
                    text.remove_prefix(1);
                }
                std::size_t end = 0;
                while (end < text.size() && is_digit(text[end])) ++end;
                const std::string_view digits = text.substr(0, end);
                text.remove_prefix(end);
                return digits;
            };
            const std::string_view a = number(left);
            const std::string_view b = number(right);
            if (a.size() != b.size()) return a.size() < b.size();
            if (a != b) return a < b;
            continue;
        }
        const auto a = static_cast<unsigned char>(ascii_lower(left.front()));
        const auto b = static_cast<unsigned char>(ascii_lower(right.front()));
        if (a != b) return a < b;
        left.remove_prefix(1);
        right.remove_prefix(1);
    }
    return left.empty() && !right.empty();
}

bool listed_before(const DirectoryEntry& left, const DirectoryEntry& right) {
    if (left.kind != right.kind) return left.kind == EntryKind::Directory;
    if (natural_less(left.name, right.name)) return true;
    if (natural_less(right.name, left.name)) return false;
    return left.name < right.name;
}

std::string_view icon_of(const DirectoryEntry& entry) {
    if (entry.kind == EntryKind::Directory) return "folder";
    switch (kind_of(media_type_of(entry.name))) {
        case MediaKind::Audio:
            return "audio";
        case MediaKind::Video:
            return "video";
        case MediaKind::Image:
            return "image";
        case MediaKind::Archive:
            return "archive";
        case MediaKind::Feed:
            return "feed";
        case MediaKind::Text:
        case MediaKind::Other:
            return "file";
    }
    return "file";
}

// "6 Nov 1994", with the whole date for whoever points at it.
std::string date_markup(WallTime time) {
    const std::string full = format_rfc3339(time);
    const std::string http = format_http_date(time);  // "Sun, 06 Nov 1994 08:49:37 GMT"
    const std::size_t begin = http[5] == '0' ? 6 : 5;
    return "<time datetime=\"" + full + "\" title=\"" + full.substr(0, 10) + ' ' +
           full.substr(11, 5) + " UTC\">" + http.substr(begin, 16 - begin) + "</time>";
}

std::string row(std::string_view icon, std::string_view href, std::string_view label,
                std::string_view size, std::string_view date) {
    std::string text = "<tr role=\"row\"><th scope=\"row\" role=\"rowheader\"><a class=\"icon ";
    text += icon;
    text += "\" href=\"";
    text += href;
    text += "\"><bdi>";
    text += label;
    text += "</bdi></a></th><td role=\"cell\" class=\"number\">";
    text += size;
    text += "</td><td role=\"cell\" class=\"date\">";
    text += date;
    return text + "</td></tr>\n";
}

std::string entry_row(const DirectoryEntry& entry) {
    const bool folder = entry.kind == EntryKind::Directory;
    std::string href = encode_segment(entry.name);
    if (folder) href += '/';
    std::string label = shown(entry.name);
    // What the icon tells those who see it.
    if (folder) label += "<span class=\"hidden\"> (folder)</span>";
    return row(icon_of(entry), href, label,
               entry.size && !folder ? readable_size(*entry.size) : std::string{},
               entry.modified ? date_markup(*entry.modified) : std::string{});
}

std::string counted(std::size_t count, std::string_view one, std::string_view many) {
    return std::to_string(count) + ' ' + std::string{count == 1 ? one : many};
}

std::string summary(const DirectoryPage& page) {
    std::size_t folders = 0;
    std::size_t files = 0;
    std::uint64_t octets = 0;
    for (const DirectoryEntry& entry : page.entries) {
        if (entry.kind == EntryKind::Directory) {
            ++folders;
            continue;
        }
        ++files;
        const std::uint64_t size = entry.size.value_or(0);
        octets = size > UINT64_MAX - octets ? UINT64_MAX : octets + size;
    }
    std::string text = "<p class=\"summary\">";
    if (folders > 0) text += counted(folders, "folder", "folders");
    if (folders > 0 && files > 0) text += ", ";
    if (files > 0) text += counted(files, "file", "files") + ", " + readable_size(octets);
    if (folders + files == 0) text += "Nothing here";
    if (page.feed_url) {
        text += " \u00B7 <a href=\"" + escape_markup(*page.feed_url) +
                "\">Subscribe to this folder</a>";
    }
    return text + "</p>\n";
}

std::string breadcrumbs(const DirectoryPage& page) {
    std::string text = "<nav aria-label=\"Where you are\"><ol>\n";
    std::string path = page.root_path;
    const std::size_t count = page.segments.size();
    for (std::size_t i = 0; i <= count; ++i) {
        if (i > 0) path += encode_segment(page.segments[i - 1]) + '/';
        const std::string label = shown(i == 0 ? page.title : page.segments[i - 1]);
        text += "<li><a href=\"" + escape_markup(path) + '"';
        if (i == count) text += " aria-current=\"page\"";
        text += "><bdi>" + label + "</bdi></a></li>\n";
    }
    return text + "</ol></nav>\n";
}

}  // namespace

std::string readable_size(std::uint64_t octets) {
    constexpr std::array units{"kB", "MB", "GB", "TB", "PB", "EB"};
    if (octets < 1000) return counted(octets, "byte", "bytes");
    std::uint64_t divisor = 1000;
    std::size_t unit = 0;
    // 999,500 octets are "1.0 MB", not "1000 kB".
    while (unit + 1 < units.size() && octets >= divisor * 1000 - divisor / 2) {
        divisor *= 1000;
        ++unit;
    }
    const auto rounded = [&](std::uint64_t step) {
        return octets / step + (octets % step >= step / 2 ? 1 : 0);
    };
    const std::uint64_t tenths = rounded(divisor / 10);
    // Two or three digits are enough: "12 MB", "1.2 MB".
    if (tenths >= 100) return std::to_string(rounded(divisor)) + ' ' + units[unit];
    return std::to_string(tenths / 10) + '.' + std::to_string(tenths % 10) + ' ' + units[unit];
}

std::string render_directory(const DirectoryPage& page) {
    const std::string& heading = page.segments.empty() ? page.title : page.segments.back();
    std::string head;
    if (page.feed_url) {
        head = "<link rel=\"alternate\" type=\"application/rss+xml\" title=\"" + shown(heading) +
               "\" href=\"" + escape_markup(*page.feed_url) + "\">\n";
    }
    const std::string title =
        page.segments.empty() ? page.title : page.segments.back() + " \u2013 " + page.title;
    std::string text = page_begin(title, head);
    text += "<a class=\"skip\" href=\"#files\">Skip to the files</a>\n<header>\n";
    text += breadcrumbs(page);
    text += "<h1><bdi>" + shown(heading) + "</bdi></h1>\n" + summary(page);
    text += "</header>\n<main id=\"files\">\n<div class=\"card\">\n";

    std::vector<DirectoryEntry> entries = page.entries;
    std::sort(entries.begin(), entries.end(), listed_before);
    if (entries.empty() && page.segments.empty()) {
        text +=
            "<div class=\"message\"><p>This folder is empty. What is put into it appears here "
            "when you load the page again.</p></div>\n";
    } else {
        text += "<table role=\"table\"><caption class=\"hidden\">Files and folders in <bdi>" +
                shown(heading) +
                "</bdi></caption>\n<thead role=\"rowgroup\"><tr role=\"row\">"
                "<th scope=\"col\" role=\"columnheader\">Name</th>"
                "<th scope=\"col\" role=\"columnheader\" class=\"number\">Size</th>"
                "<th scope=\"col\" role=\"columnheader\">Changed</th></tr></thead>\n"
                "<tbody role=\"rowgroup\">\n";
        if (!page.segments.empty()) text += row("up", "../", "Up one folder", "", "");
        for (const DirectoryEntry& entry : entries) text += entry_row(entry);
        text += "</tbody></table>\n";
    }
    return text + "</div>\n</main>\n" + page_end();
}

}  // namespace stile::http
