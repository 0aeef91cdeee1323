// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/relay/operation.hpp>

#include "file_watch.hpp"
#include "usage_log.hpp"

#include <stile/app/json_field.hpp>
#include <stile/crypto/certificate.hpp>
#include <stile/drivers/tcp.hpp>
#include <stile/drivers/web_server.hpp>
#include <stile/relay/admin.hpp>
#include <stile/relay/report.hpp>
#include <stile/relay/self_check.hpp>

#include <fmt/format.h>
#include <unistd.h>
#include <algorithm>
#include <nlohmann/json.hpp>

namespace stile::relay {
namespace {

using nlohmann::json;

// Usage, drain and changed files are looked at as often.
constexpr Duration pulse = std::chrono::seconds{1};
constexpr std::uint64_t most_drain_seconds = 7 * 86'400;

app::Problem start_problem(const StartError& error) {
    return {app::ExitCode::BadConfiguration, "The relay cannot start: " + error.what, error.cause,
            "", "see 'stile-turnd check' for what is in the way"};
}

// Why a running relay does not take settings over, and what does.
std::string refusal(const StartError& error, const std::string& graceful_restart) {
    std::string text = fmt::format("{}: {}", error.what, error.cause);
    const bool kept = error.remedy == StartError::Remedy::Restart && !graceful_restart.empty();
    if (kept) {
        text += fmt::format("; restart gracefully to change it, with {}", graceful_restart);
    } else if (error.remedy != StartError::Remedy::Correction) {
        text += "; drain, stop and start it to change it";
    }
    return text;
}

std::vector<std::string> watched_files(const SettingsFile& file, const StateFolder& state) {
    std::vector<std::string> paths{state.path() + "/secrets"};
    for (const std::string& path : {file.certificate_file, file.key_file}) {
        if (!path.empty()) paths.push_back(path);
    }
    for (const SecretFile& secret : file.secret_files) paths.push_back(secret.path);
    for (const TokenKeyFile& key : file.token_key_files) paths.push_back(key.path);
    return paths;
}

std::uint64_t certificate_end(const Settings& settings) {
    const auto certificate = crypto::Certificate::from_pem(settings.certificate_pem);
    if (!certificate) return 0;
    return static_cast<std::uint64_t>(certificate->validity().not_after.time_since_epoch().count());
}

}  // namespace

struct Operation::Impl {
    Impl(drivers::Loop& event_loop, const StateFolder& folder, OperationHooks wanted)
        : loop(event_loop),
          state(folder),
          hooks(std::move(wanted)),
          usage_log(""),
          web(loop, [this](std::shared_ptr<drivers::Exchange> exchange) { serve(*exchange); }),
          timer(loop, [this] { beat(); }) {}

    Clocks clocks() const { return {loop.now(), loop.wall_now()}; }
    void log(std::string_view line) const {
        if (hooks.log) hooks.log(line);
    }

    std::expected<void, app::Problem> open(OperationStart start);
    std::expected<std::unique_ptr<drivers::TcpListener>, drivers::OsError> listen_metrics(
        const std::optional<SocketAddress>& address);
    std::expected<std::unique_ptr<AdminServer>, app::Problem> open_admin();
    void take_addresses();
    void adopt(const Prepared& prepared);
    std::expected<void, std::string> reload();
    void drain(std::optional<std::chrono::seconds> time);
    void beat();
    void write_usage();
    void serve(drivers::Exchange& exchange);
    json handle(const json& request);
    json sessions() const;

    drivers::Loop& loop;
    StateFolder state;
    OperationHooks hooks;
    SettingsFile file;
    ProcessFacts facts;
    std::unique_ptr<Relay> relay;
    UsageLog usage_log;
    std::string last_usage_error;
    FileWatch files;
    drivers::WebServer web;
    std::unique_ptr<drivers::TcpListener> metrics;
    std::unique_ptr<AdminServer> admin;
    std::optional<Instant> drained_by;
    drivers::Timer timer;
};

std::expected<void, app::Problem> Operation::Impl::open(OperationStart start) {
    facts.version = start.version;
    facts.started = static_cast<std::uint64_t>(loop.wall_now().time_since_epoch().count());
    auto started = start.handover
                       ? Relay::resume(start.prepared.settings, std::move(*start.handover),
                                       std::move(start.on_https))
                       : Relay::start(start.prepared.settings, std::move(start.on_https));
    if (!started) return std::unexpected(start_problem(started.error()));
    relay = *std::move(started);
    auto listening = listen_metrics(start.prepared.file.metrics);
    if (!listening) {
        return std::unexpected(app::Problem{app::ExitCode::BadConfiguration,
                                            "Metrics cannot be served", listening.error().text, "",
                                            "choose another address under [metrics]"});
    }
    metrics = *std::move(listening);
    auto socket = open_admin();
    if (!socket) return std::unexpected(socket.error());
    admin = *std::move(socket);
    if (start.handover) {
        if (start.may_serve && !start.may_serve()) {
            return std::unexpected(app::Problem{app::ExitCode::Other,
                                                "The sessions stay with the old process",
                                                "it goes on serving them", "", ""});
        }
        relay->serve();
    }
    adopt(start.prepared);
    timer.arm_after(pulse);
    return {};
}

std::expected<std::unique_ptr<AdminServer>, app::Problem> Operation::Impl::open_admin() {
    return AdminServer::open(loop, state.socket_path(),
                             [this](const json& request) { return handle(request); });
}

std::expected<std::unique_ptr<drivers::TcpListener>, drivers::OsError>
Operation::Impl::listen_metrics(const std::optional<SocketAddress>& address) {
    if (!address) return std::unique_ptr<drivers::TcpListener>{};
    return drivers::TcpListener::open(
        loop, *address,
        [this](std::unique_ptr<drivers::TcpStream> stream) { web.serve(std::move(stream)); });
}

void Operation::Impl::adopt(const Prepared& prepared) {
    file = prepared.file;
    usage_log = UsageLog{file.usage_file};
    files.set(watched_files(file, state));
    facts.certificate_not_after = certificate_end(prepared.settings);
}

std::expected<void, std::string> Operation::Impl::reload() {
    const auto refuse = [this](std::string why) {
        ++facts.reloads_refused;
        return std::unexpected(std::move(why));
    };
    auto prepared = hooks.load();
    if (!prepared) return refuse(prepared.error());
    if (prepared->file.state_directory != file.state_directory) {
        return refuse(refusal({.what = "cannot change the state directory",
                               .cause = "the server runs",
                               .remedy = StartError::Remedy::Restart},
                              hooks.graceful_restart));
    }
    const auto findings =
        self_check(prepared->file, prepared->settings, Ports::InUseByUs, loop.wall_now());
    if (any_fatal(findings)) return refuse(to_text(findings));
    const bool moves = prepared->file.metrics != file.metrics;
    auto listening =
        moves ? listen_metrics(prepared->file.metrics) : std::unique_ptr<drivers::TcpListener>{};
    if (!listening) return refuse(listening.error().text);
    if (const auto taken = relay->reload(prepared->settings); !taken) {
        return refuse(refusal(taken.error(), hooks.graceful_restart));
    }
    if (moves) metrics = *std::move(listening);
    adopt(*prepared);
    ++facts.reloads;
    return {};
}

void Operation::Impl::drain(std::optional<std::chrono::seconds> time) {
    facts.draining = true;
    drained_by = loop.now() + time.value_or(file.drain_deadline);
    relay->drain();
}

void Operation::Impl::beat() {
    timer.arm_after(pulse);
    write_usage();
    if (!drained_by && files.changed()) {
        const auto taken = reload();
        log(taken ? "A certificate or secret has changed and is in use"
                  : "A certificate or secret has changed and is refused, the old one stays: " +
                        taken.error());
    }
    if (drained_by && (relay->statistics().allocations == 0 || loop.now() >= *drained_by)) {
        write_usage();
        if (hooks.on_drained) hooks.on_drained();
    }
}

void Operation::Impl::write_usage() {
    const std::vector<turn::Usage> records = relay->take_usage();
    if (records.empty() || usage_log.path().empty()) return;
    std::string lines;
    for (const turn::Usage& usage : records) lines += to_json(usage, clocks()).dump() + '\n';
    const auto written = usage_log.append(lines);
    const std::string error = written ? "" : written.error();
    if (!error.empty() && error != last_usage_error) log(error);  // once, not every second
    last_usage_error = error;
}

void Operation::Impl::serve(drivers::Exchange& exchange) {
    const auto& request = exchange.request();
    if (request.method != "GET" && request.method != "HEAD") {
        exchange.respond({.status = 405}, std::string_view{});
    } else if (request.target == "/metrics") {
        exchange.respond({.fields = {{"Content-Type", "text/plain; version=0.0.4"}}},
                         to_prometheus(relay->statistics(), facts));
    } else if (request.target == "/healthz") {
        const std::string_view text = facts.draining ? "draining\n" : "ok\n";
        exchange.respond(
            {.status = facts.draining ? 503U : 200U, .fields = {{"Content-Type", "text/plain"}}},
            text);
    } else {
        exchange.respond({.status = 404}, std::string_view{"/metrics and /healthz are here\n"});
    }
}

json Operation::Impl::sessions() const {
    json all = json::array();
    const Clocks at = clocks();
    for (const turn::Session& session : relay->sessions()) all.push_back(to_json(session, at));
    return all;
}

json Operation::Impl::handle(const json& request) {
    const std::string command = app::text_of(request, "command");
    if (command == "status") {
        json status = to_json(relay->statistics(), facts);
        status["pid"] = ::getpid();
        json listening = json::array();
        for (const SocketAddress& address : relay->listening()) {
            listening.push_back(address.to_string());
        }
        status["listening"] = listening;
        status["reloads"] = facts.reloads;
        if (metrics) status["metrics"] = metrics->local_address().to_string();
        return status;
    }
    if (command == "sessions") return {{"sessions", sessions()}};
    if (command == "session") {
        const std::string name = app::text_of(request, "session");
        for (const json& session : sessions()) {
            if (session.at("session") == name) return {{"session", session}};
        }
        return {{"error", "there is no such session"}, {"fix", "see 'stile-turnd sessions'"}};
    }
    if (command == "reload") {
        if (const auto done = reload(); !done) {
            return {{"error", done.error()}, {"fix", "the old configuration stays in use"}};
        }
        return {{"done", true}};
    }
    if (command == "drain") {
        std::optional<std::chrono::seconds> time;
        if (const auto given = app::number_of(request, "deadline", most_drain_seconds)) {
            time = std::chrono::seconds{*given};
        }
        drain(time);
        return {{"done", true},
                {"allocations", relay->statistics().allocations},
                {"ends", static_cast<bool>(hooks.on_drained)}};
    }
    if (hooks.on_command) {
        if (auto answer = hooks.on_command(request)) return *std::move(answer);
    }
    return {{"error", "this command is not known"}};
}

Operation::Operation(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Operation::~Operation() = default;

std::expected<std::unique_ptr<Operation>, app::Problem> Operation::start(drivers::Loop& loop,
                                                                         const StateFolder& state,
                                                                         OperationStart start,
                                                                         OperationHooks hooks) {
    auto impl = std::make_unique<Impl>(loop, state, std::move(hooks));
    const auto opened = impl->open(std::move(start));
    if (!opened) return std::unexpected(opened.error());
    return std::unique_ptr<Operation>(new Operation(std::move(impl)));
}

Relay& Operation::relay() { return *impl_->relay; }
std::expected<void, std::string> Operation::reload() { return impl_->reload(); }
void Operation::drain(std::optional<std::chrono::seconds> deadline) { impl_->drain(deadline); }
void Operation::flush() { impl_->write_usage(); }

void Operation::give_up_addresses() {
    impl_->metrics.reset();
    if (impl_->admin) impl_->admin->give_up();
}

// Another program may have taken the port meanwhile: the relay is worth more than its figures.
void Operation::Impl::take_addresses() {
    if (auto listening = listen_metrics(file.metrics)) {
        metrics = *std::move(listening);
    } else {
        log("Metrics are not served any more: " + listening.error().text);
    }
    if (auto socket = open_admin()) {
        admin = *std::move(socket);
    } else {
        log(app::to_text(socket.error()));
    }
}

void Operation::take_addresses() { impl_->take_addresses(); }

}  // namespace stile::relay
