// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "page_frame.hpp"

#include <stile/http/directory_page.hpp>

#include <stile/base/encoding.hpp>
#include <stile/crypto/digest.hpp>

#include "utf8.hpp"

namespace stile::http {

namespace {

// Colours are named once and differ between light and dark. Icons are characters in generated
// content with an empty alternative, so that no screen reader says them.
constexpr std::string_view style = R"css(
:root {
  color-scheme: light dark;
  --paper: #fbfaf8; --card: #ffffff; --ink: #1d1c1a; --quiet: #66625c;
  --line: #e4e0d9; --accent: #1f5f4a; --hover: #f1f5f1;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #161715; --card: #1e201d; --ink: #ecebe6; --quiet: #a3a09a;
    --line: #33362f; --accent: #8fd3b4; --hover: #262a25;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; max-width: 60rem; padding: 2rem 1rem 3rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif;
}
a { color: var(--accent); }
a:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; border-radius: 4px; }
.skip { position: absolute; left: -99rem; }
.skip:focus { position: static; }
.hidden {
  position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%);
  white-space: nowrap;
}
nav ol { display: flex; flex-wrap: wrap; gap: 0 .5rem; margin: 0; padding: 0; list-style: none; }
nav li + li::before { content: "/"; content: "/" / ""; margin-right: .5rem; color: var(--quiet); }
h1 { margin: .25rem 0 .5rem; font-size: 1.6rem; line-height: 1.25; overflow-wrap: anywhere; }
.summary { margin: 0 0 1.25rem; color: var(--quiet); }
.card {
  background: var(--card); border: 1px solid var(--line); border-radius: 12px; overflow: hidden;
}
table { width: 100%; border-collapse: collapse; }
th, td { padding: .6rem 1rem; text-align: left; vertical-align: baseline; }
thead th { color: var(--quiet); font-size: .85rem; font-weight: 600; }
tbody tr { border-top: 1px solid var(--line); }
tbody tr:hover { background: var(--hover); }
tbody th { font-weight: 400; overflow-wrap: anywhere; }
tbody th a { display: block; padding-left: 1.75rem; text-indent: -1.75rem; text-decoration: none; }
tbody th a:hover { text-decoration: underline; }
.number, .date { white-space: nowrap; color: var(--quiet); font-variant-numeric: tabular-nums; }
.number { text-align: right; }
.icon::before {
  display: inline-block; width: 1.75rem; text-indent: 0; content: "\1F4C4"; content: "\1F4C4" / "";
}
.up::before { content: "\2B06\FE0F"; content: "\2B06\FE0F" / ""; }
.folder::before { content: "\1F4C1"; content: "\1F4C1" / ""; }
.audio::before { content: "\1F3B5"; content: "\1F3B5" / ""; }
.video::before { content: "\1F3AC"; content: "\1F3AC" / ""; }
.image::before { content: "\1F5BC\FE0F"; content: "\1F5BC\FE0F" / ""; }
.archive::before { content: "\1F4E6"; content: "\1F4E6" / ""; }
.feed::before { content: "\1F4E1"; content: "\1F4E1" / ""; }
.message { padding: 1.5rem; }
.message p { margin: 0 0 .75rem; }
.message p:last-child { margin: 0; }
.code { margin: 0; color: var(--quiet); font-variant-numeric: tabular-nums; }
footer { margin-top: 1.5rem; color: var(--quiet); font-size: .85rem; }
@media (max-width: 38rem) {
  body { padding-top: 1rem; }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  tbody tr { display: grid; grid-template-columns: 1fr auto; padding: .6rem 1rem; gap: 0 1rem; }
  tbody tr:first-child { border-top: 0; }
  tbody th { grid-column: 1 / -1; padding: 0; }
  tbody td { padding: 0; font-size: .85rem; }
  .date { order: 1; padding-left: 1.75rem; }
  .number { order: 2; }
}
)css";

}  // namespace

std::string_view page_style() { return style; }

std::string page_begin(std::string_view title, std::string_view head) {
    std::string text =
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
        "<meta name=\"color-scheme\" content=\"light dark\">\n<title>";
    text += escape_markup(title);
    text += "</title>\n";
    text += head;
    text += "<style>";
    text += style;
    return text + "</style>\n</head>\n<body>\n";
}

std::string page_end() {
    return "<footer>Sent from this person\u2019s own machine with Stile.</footer>\n"
           "</body>\n</html>\n";
}

std::string escape_html(std::string_view text) { return escape_markup(text); }

Fields page_fields() {
    const auto digest = crypto::digest(crypto::DigestAlgorithm::Sha256, as_bytes(style));
    Fields fields;
    fields.add("content-type", "text/html; charset=utf-8");
    fields.add("content-security-policy", "default-src 'none'; style-src 'sha256-" +
                                              to_base64(digest.bytes()) +
                                              "'; base-uri 'none'; form-action 'none'; "
                                              "frame-ancestors 'none'");
    fields.add("x-content-type-options", "nosniff");
    fields.add("referrer-policy", "no-referrer");
    return fields;
}

}  // namespace stile::http
