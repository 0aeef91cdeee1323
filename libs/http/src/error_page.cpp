// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/http/directory_page.hpp>

#include "page_frame.hpp"
#include "utf8.hpp"

namespace stile::http {

namespace {

struct Advice {
    Status status;
    std::string_view cause;
    std::string_view next_step;
};

// What each status usually means to a person, and what they can do.
constexpr Advice usual[] = {
    {Status::BadRequest, "The address or the request is malformed.",
     "Check the address for typing mistakes."},
    {Status::Unauthorized, "The owner of this machine has to know who you are.",
     "Sign in and try again."},
    {Status::Forbidden, "The owner of this machine has not shared this with you.",
     "Ask them to allow it."},
    {Status::NotFound, "There is nothing at this address.",
     "It may have been moved or renamed: look for it from the top folder."},
    {Status::MethodNotAllowed, "This can only be read, not changed.",
     "Open the address in a browser or a feed reader."},
    {Status::PreconditionFailed, "It has changed since you last saw it.", "Load it again."},
    {Status::UriTooLong, "The address is too long.", "Open a folder nearer to the top first."},
    {Status::RangeNotSatisfiable, "The part you asked for is past the end of the file.",
     "Start the download again from the beginning."},
    {Status::TooManyRequests, "Too many requests came in a short time.",
     "Wait a minute and try again."},
    {Status::NotImplemented, "This machine does not know that kind of request.",
     "Open the address in a browser or a feed reader."},
    {Status::BadGateway, "The other machine sent an answer that makes no sense.",
     "Try again; if it stays so, tell its owner."},
    {Status::ServiceUnavailable, "The machine is busy or about to stop.", "Try again in a moment."},
    {Status::GatewayTimeout, "The other machine did not answer in time.",
     "It may be off or without a connection: try again later."},
};

constexpr Advice unusual{Status::InternalServerError, "Something went wrong on this machine.",
                         "Try again; if it stays so, tell its owner."};

const Advice& advice_for(Status status) {
    for (const Advice& each : usual) {
        if (each.status == status) return each;
    }
    return unusual;
}

}  // namespace

std::string render_error(const ErrorPage& page) {
    const Advice& advice = advice_for(page.status);
    const std::string_view cause = page.cause.empty() ? advice.cause : page.cause;
    const std::string_view next_step = page.next_step.empty() ? advice.next_step : page.next_step;
    const std::string phrase{reason_phrase(page.status)};
    std::string text = page_begin(phrase, "");
    text += "<main>\n<p class=\"code\">" + std::to_string(code(page.status)) + "</p>\n<h1>" +
            escape_markup(phrase) + "</h1>\n<div class=\"card message\">\n<p>" +
            escape_markup(cause) + "</p>\n<p>" + escape_markup(next_step) + "</p>\n";
    if (page.home_path) {
        text +=
            "<p><a href=\"" + escape_markup(*page.home_path) + "\">Go to the top folder</a></p>\n";
    }
    return text + "</div>\n</main>\n" + page_end();
}

}  // namespace stile::http
