// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "gateway.hpp"

#include "target.hpp"

#include <stile/base/text.hpp>
#include <stile/http/directory_page.hpp>

#include <fmt/format.h>
#include <algorithm>
#include <array>

namespace stile::peer {
namespace {

// What goes to the peer: nothing of this machine's cookies, credentials or addresses.
constexpr std::array<std::string_view, 10> passed_request_fields{"accept",
                                                                 "accept-language",
                                                                 "range",
                                                                 "if-range",
                                                                 "if-match",
                                                                 "if-none-match",
                                                                 "if-modified-since",
                                                                 "if-unmodified-since",
                                                                 "user-agent",
                                                                 "want-repr-digest"};

// Connection fields are each hop's own (RFC 9110 Section 7.6.1), and a peer may set no cookies and
// no policies for the gateway's other origins.
constexpr std::array<std::string_view, 17> dropped_response_fields{
    "connection",
    "keep-alive",
    "proxy-connection",
    "transfer-encoding",
    "upgrade",
    "trailer",
    "content-length",
    "set-cookie",
    "strict-transport-security",
    "alt-svc",
    "clear-site-data",
    "www-authenticate",
    "proxy-authenticate",
    "report-to",
    "nel",
    "refresh",
    "content-security-policy-report-only"};

// A peer that lives acknowledges a request at once; a silent path is replaced after this.
constexpr Duration silence_patience = std::chrono::seconds{3};

// The name of a Host field, without its port; empty where it is none. RFC 3986 Section 3.2.
std::string_view name_of(std::string_view host) {
    std::size_t end = host.find(':');
    if (host.starts_with('[')) {
        end = host.find(']');
        if (end == std::string_view::npos) return {};
        ++end;
    }
    const std::string_view name = host.substr(0, end);
    const std::string_view rest = end < host.size() ? host.substr(end) : std::string_view{};
    if (!rest.empty() && (rest.front() != ':' || !parse_unsigned(rest.substr(1), 65535))) return {};
    const bool sound = std::ranges::all_of(
        name, [](char c) { return is_alnum(c) || std::string_view{"-._[]:"}.contains(c); });
    return sound ? name : std::string_view{};
}

bool is_shared_host(std::string_view name) {
    return name == "127.0.0.1" || name == "localhost" || name == "[::1]";
}

struct Asked {
    std::string host;
    std::string path;
};

// Origin form with a Host field, or a proxy client's absolute form. RFC 9112 Section 3.2.
std::optional<Asked> asked_for(const drivers::HttpRequest& request) {
    constexpr std::string_view scheme = "http://";
    std::string_view target = request.target;
    if (target.starts_with('/')) {
        const auto host = request.fields.find("host");
        if (!host) return std::nullopt;
        return Asked{to_lower(*host), std::string{target}};
    }
    if (!to_lower(target.substr(0, scheme.size())).starts_with(scheme)) return std::nullopt;
    target.remove_prefix(scheme.size());
    const std::size_t slash = target.find('/');
    return Asked{to_lower(target.substr(0, slash)),
                 slash == std::string_view::npos ? "/" : std::string{target.substr(slash)}};
}

std::optional<GatewayRefusal> judge_origin(const drivers::HttpRequest& request,
                                           const std::string& host) {
    const GatewayRefusal foreign{403, "A web page of another origin asked for this.",
                                 "Open the address yourself."};
    if (const auto origin = request.fields.find("origin")) {
        if (to_lower(*origin) != "http://" + host) return foreign;
    }
    const auto site = request.fields.find("sec-fetch-site");
    if (!site || *site == "none" || *site == "same-origin") return std::nullopt;
    // Following a link to a peer's page is a person's doing; loading parts of it, or going there
    // unasked, is a page's, and would show the peer who this is.
    const auto mode = request.fields.find("sec-fetch-mode");
    const auto destination = request.fields.find("sec-fetch-dest");
    const auto user = request.fields.find("sec-fetch-user");
    if (mode == "navigate" && destination == "document" && user == "?1") return std::nullopt;
    return foreign;
}

// All or nothing a call: offered in pieces, so that a full queue leaves the rest with QUIC, which
// holds the peer back.
std::size_t write_some(drivers::Exchange& exchange, BytesView bytes) {
    constexpr std::size_t piece = 65'536;
    std::size_t taken = 0;
    while (taken < bytes.size()) {
        const BytesView next = bytes.subspan(taken, std::min(piece, bytes.size() - taken));
        const drivers::Written written = exchange.write(next);
        if (written == drivers::Written::Full) break;
        if (written == drivers::Written::Closed) return bytes.size();
        taken += next.size();
    }
    return taken;
}

std::string normal_address(std::string_view segment) {
    const auto target = Target::parse(segment);
    return target && target->path == "/" ? target->address : std::string{};
}

}  // namespace

std::expected<GatewayTarget, GatewayRefusal> judge_request(const drivers::HttpRequest& request,
                                                           const SocketAddress& listening) {
    if (request.method != "GET" && request.method != "HEAD") {
        return std::unexpected(GatewayRefusal{405, "Only GET and HEAD are passed on.", ""});
    }
    const auto asked = asked_for(request);
    if (!asked) return std::unexpected(GatewayRefusal{400, "The request names no host.", ""});
    const std::string_view name = name_of(asked->host);
    if (name.empty()) {
        return std::unexpected(GatewayRefusal{400, "The request's host is no name.", ""});
    }
    if (const auto refusal = judge_origin(request, asked->host)) return std::unexpected(*refusal);

    GatewayTarget target{.path = asked->path, .host = asked->host};
    if (const auto address = Target::address_of_host(name)) {
        target.address = *address;
        return target;
    }
    const std::string listening_name =
        listening.ip.is_v6() ? '[' + listening.ip.to_string() + ']' : listening.ip.to_string();
    if (!is_shared_host(name) && name != listening_name) {
        return std::unexpected(GatewayRefusal{
            421, fmt::format("'{}' is no name of this gateway.", name),
            "Names look like alice.example.org.localhost, or begin the path after 127.0.0.1."});
    }
    target.origin = GatewayTarget::Origin::SharedHost;
    std::string_view rest = std::string_view{asked->path}.substr(1);
    const std::size_t slash = rest.find('/');
    target.address = normal_address(rest.substr(0, slash));
    if (target.address.empty() && rest.empty()) return target;  // the gateway's own page
    if (target.address.empty()) {
        return std::unexpected(GatewayRefusal{404, "The path does not begin with a peer's address.",
                                              "It looks like /alice@example.org/feed.xml."});
    }
    // Without the slash relative links would lead to another peer.
    target.path = slash == std::string_view::npos ? "" : std::string{rest.substr(slash)};
    return target;
}

Gateway::Gateway(drivers::Loop& loop, Node& node)
    : loop_(loop), node_(node), web_(loop, [this](Exchange exchange) { handle(exchange); }) {}

std::expected<SocketAddress, drivers::OsError> Gateway::listen(const SocketAddress& address) {
    auto listener = drivers::TcpListener::open(
        loop_, address,
        [this](std::unique_ptr<drivers::TcpStream> stream) { web_.serve(std::move(stream)); });
    if (!listener) return std::unexpected(listener.error());
    listeners_.push_back(*std::move(listener));
    return listeners_.back()->local_address();
}

void Gateway::handle(const Exchange& exchange) {
    const auto target = judge_request(exchange->request(), exchange->local_address());
    if (!target) return refuse(exchange, target.error());
    if (target->address.empty()) return serve_home(exchange);
    if (target->path.empty()) {
        return exchange->respond(
            {.status = 308, .fields = {{"Location", '/' + target->address + '/'}}},
            std::string_view{});
    }
    const auto passage =
        std::make_shared<Passage>(Passage{.exchange = exchange, .target = *target});
    // The exchange keeps this callback: it must not keep the exchange.
    exchange->on_aborted([this, weak = std::weak_ptr{passage}] {
        if (const auto aborted = weak.lock()) abort(*aborted);
    });
    pass_on(passage);
}

void Gateway::pass_on(const std::shared_ptr<Passage>& passage) {
    node_.open(passage->target.address, [this, passage](auto link) {
        if (passage->state == Passage::State::Aborted) return;
        if (!link) return refuse(passage->exchange, link.error());
        forward(passage, **link);
    });
}

void Gateway::forward(const std::shared_ptr<Passage>& passage, Link& link) {
    const drivers::HttpRequest& request = passage->exchange->request();
    const GatewayTarget& target = passage->target;
    quic::RequestHead head{.method = request.method,
                           .scheme = "https",
                           .authority = Target::host_of_address(target.address),
                           .path = target.path};
    for (const std::string_view name : passed_request_fields) {
        if (const auto value = request.fields.find(name)) {
            head.fields.push_back({std::string{name}, std::string{*value}});
        }
    }
    head.fields.push_back({"forwarded", fmt::format("host=\"{}\";proto=http", target.host)});

    const Exchange& exchange = passage->exchange;
    const auto stream = link.request(
        head, {.on_head = [this, passage](const auto& response) { answer(*passage, response); },
               .on_body = [exchange](BytesView bytes) { return write_some(*exchange, bytes); },
               .on_trailers = {},
               .on_end = [exchange] { exchange->finish(); },
               .on_failed = [this, passage](
                                const app::Problem& problem) { handle_failed(passage, problem); },
               .patience = silence_patience});
    if (!stream) {
        if (stream.error() == quic::RequestError::NotReady) return;
        return refuse(
            exchange,
            stream.error() == quic::RequestError::Invalid
                ? GatewayRefusal{400, "The path cannot be asked for.", "Check its spelling."}
                : GatewayRefusal{503, "Too many requests to this peer at once.", "Try again."});
    }
    passage->session = link.session();
    passage->stream = *stream;
    // The link may be gone by then: it is looked up.
    exchange->on_writable([this, session = link.session(), id = *stream] {
        node_.with_link(session, [id](Link& open) { open.resume_reading(id); });
    });
}

void Gateway::answer(Passage& passage, const quic::ResponseHead& head) {
    drivers::HttpResponse response{.status = head.status};
    for (const quic::Field& field : head.fields) {
        if (field.name == "content-length") {
            response.length = parse_unsigned(field.value, UINT64_MAX);
        }
        const bool dropped =
            std::ranges::find(dropped_response_fields, field.name) != dropped_response_fields.end();
        if (!dropped) response.fields.add(field.name, field.value);
    }
    if (passage.target.origin == GatewayTarget::Origin::SharedHost) {
        response.fields.set("Content-Security-Policy", "sandbox");
    }
    response.fields.set("X-Content-Type-Options", "nosniff");
    response.fields.set("Cross-Origin-Resource-Policy", "same-origin");
    passage.state = Passage::State::Answering;
    passage.exchange->start(std::move(response));
}

void Gateway::handle_failed(const std::shared_ptr<Passage>& passage, const app::Problem& problem) {
    switch (passage->state) {
        case Passage::State::Aborted:
            return;
        case Passage::State::Answering:
            return passage->exchange->abort();
        case Passage::State::Asked:
            break;
    }
    passage->session.reset();
    const auto attempt = std::exchange(passage->attempt, Passage::Attempt::Second);
    if (attempt == Passage::Attempt::First) return pass_on(passage);
    refuse(passage->exchange, problem);
}

void Gateway::abort(Passage& passage) {
    passage.state = Passage::State::Aborted;
    if (!passage.session) return;
    node_.with_link(*passage.session, [id = passage.stream](Link& open) { open.cancel(id); });
}

void Gateway::refuse(const Exchange& exchange, const app::Problem& problem) {
    const unsigned status = problem.code == app::ExitCode::TimedOut ? 504 : 502;
    refuse(exchange, GatewayRefusal{status, problem.what + ". " + problem.cause, problem.fix});
}

void Gateway::refuse(const Exchange& exchange, const GatewayRefusal& refusal) {
    drivers::HttpResponse response{.status = refusal.status};
    for (const http::Field& field : http::page_fields())
        response.fields.add(field.name, field.value);
    if (refusal.status == 405) response.fields.set("Allow", "GET, HEAD");
    exchange->respond(std::move(response),
                      http::render_error({.status = static_cast<http::Status>(refusal.status),
                                          .cause = refusal.cause,
                                          .next_step = refusal.next_step,
                                          .home_path = {}}));
}

void Gateway::serve_home(const Exchange& exchange) {
    drivers::HttpResponse response;
    for (const http::Field& field : http::page_fields())
        response.fields.add(field.name, field.value);
    const std::string host =
        http::escape_html(exchange->request().fields.find("host").value_or("127.0.0.1:7447"));
    exchange->respond(
        std::move(response),
        fmt::format("<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Stile gateway"
                    "</title><h1>Stile gateway</h1><p>You are {0}. A peer's folder is at "
                    "<code>http://alice.example.org.localhost:{1}/</code> in a browser, and at "
                    "<code>http://{2}/alice@example.org/</code> for other programs.</p>",
                    http::escape_html(node_.account().address),
                    exchange->local_address().port.value, host));
}

}  // namespace stile::peer
