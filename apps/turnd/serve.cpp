// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "restart.hpp"
#include "turnd.hpp"

#include <stile/relay/handover_wire.hpp>
#include <stile/relay/prepare.hpp>
#include <stile/relay/self_check.hpp>

#include <fmt/format.h>
#include <unistd.h>
#include <csignal>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>

namespace stile::turnd {
namespace {

using nlohmann::json;

void log(std::string_view line) {
    fmt::print(stderr, "{}\n", line);
    std::fflush(stderr);
}

std::expected<relay::Prepared, std::string> load(const std::string& config_name,
                                                 const relay::StateFolder& state) {
    auto config = load_config(config_name);
    if (!config) return std::unexpected(config.error());
    auto settings = relay::prepare(config->file, state, relay::Machine::this_one());
    if (!settings) return std::unexpected(app::to_text(settings.error()));
    return relay::Prepared{std::move(config->file), *std::move(settings)};
}

// One process that serves, from its start to its end or to its successor's start.
class Server {
public:
    Server(std::string config_name, relay::StateFolder state)
        : config_name_(std::move(config_name)), state_(std::move(state)) {}

    int run() {
        auto prepared = load(config_name_, state_);
        if (!prepared) {
            fmt::print(stderr, "{}", prepared.error());
            return static_cast<int>(app::ExitCode::BadConfiguration);
        }
        auto old = predecessor();
        const auto findings = relay::self_check(prepared->file, prepared->settings,
                                                old ? relay::Ports::InUseByUs : relay::Ports::Probe,
                                                loop_.wall_now());
        print_complaints(findings);
        if (relay::any_fatal(findings)) {
            return static_cast<int>(app::ExitCode::BadConfiguration);
        }
        std::optional<relay::Handover> handover;
        if (old) {
            if (!say_ready(*old)) return static_cast<int>(app::ExitCode::Other);
            auto received = relay::receive_handover(old->get());
            if (!received) {
                return app::fail({app::ExitCode::Other, "The sessions cannot be taken over",
                                  received.error(), "", ""});
            }
            handover = *std::move(received);
            const std::size_t kept = handover->shards.size();
            const std::size_t wanted = std::exchange(prepared->settings.shards, kept);
            if (wanted != 0 && wanted != kept) {
                log(
                    fmt::format("shards stays {}, as the sessions are taken over thread by thread; "
                                "drain, stop and start the server to change it",
                                kept));
            }
        }
        auto operation = relay::Operation::start(loop_, state_,
                                                 {.prepared = *prepared,
                                                  .version = std::string{version},
                                                  .on_https = {},
                                                  .handover = std::move(handover),
                                                  .may_serve = [&old] { return may_serve(*old); }},
                                                 hooks());
        if (!operation) return app::fail(operation.error());
        operation_ = *std::move(operation);
        announce(*prepared);
        notify_manager("READY=1");
        const drivers::Signals signals{loop_,
                                       {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2},
                                       [this](int number) { handle_signal(number); }};
        loop_.run();
        operation_->flush();
        return 0;
    }

private:
    relay::OperationHooks hooks() {
        return {.load = [this] { return load(config_name_, state_); },
                .on_drained = [this] { loop_.stop(); },
                .on_command = [this](const json& request) -> std::optional<json> {
                    if (request.value("command", json{}) != "restart") return std::nullopt;
                    return restart();
                },
                .graceful_restart = "'stile-turnd restart'",
                .log = log};
    }

    static void print_complaints(const std::vector<relay::Finding>& findings) {
        std::vector<relay::Finding> complaints;
        for (const relay::Finding& finding : findings) {
            if (finding.weight != relay::Finding::Weight::Good) complaints.push_back(finding);
        }
        fmt::print(stderr, "{}", relay::to_text(complaints));
    }

    void announce(const relay::Prepared& prepared) const {
        fmt::print("stile-turnd {} for {}\n\n", version, prepared.settings.tenants.front().realm);
        const auto listening = operation_->relay().listening();
        for (std::size_t i = 0; i < listening.size(); ++i) {
            fmt::print("  {:<8} {}\n", kind_of(prepared.settings.listeners.at(i).kind),
                       listening.at(i).to_string());
        }
        for (const relay::RelayAddress& address : prepared.settings.relay_addresses) {
            fmt::print("  relays   {}{}\n", address.local.to_string(),
                       address.external ? " seen as " + address.external->to_string() : "");
        }
        fmt::print("  path     {}\n", operation_->relay().statistics().kernel_path);
        fmt::print("  state    {}\n\n", state_.path());
        if (config_name_.empty() && prepared.file.settings.tenants.front().accounts.empty() &&
            prepared.file.settings.tenants.front().secrets.empty()) {
            fmt::print("Nobody has a password yet. The next step:  stile-turnd credential NAME\n");
        }
        fmt::print("Ready\n");
        std::fflush(stdout);
    }

    static std::string_view kind_of(relay::ListenerKind kind) {
        switch (kind) {
            case relay::ListenerKind::Udp:
                return "udp";
            case relay::ListenerKind::Tcp:
                return "tcp";
            case relay::ListenerKind::Tls:
                return "tls";
            case relay::ListenerKind::Dtls:
                return "dtls";
        }
        return "";
    }

    void handle_signal(int number) {
        if (number == SIGHUP) {
            notify_manager("RELOADING=1");
            const auto done = operation_->reload();
            log(done ? "Reloaded"
                     : "The new configuration is refused, the old one stays:\n" + done.error());
            notify_manager("READY=1");
        } else if (number == SIGUSR1) {
            log("Draining");
            operation_->drain();
        } else if (number == SIGUSR2) {
            const json answer = restart();
            if (answer.contains("error")) log(answer.at("error").get<std::string>());
        } else {
            loop_.stop();
        }
    }

    json restart() {
        if (successor_) return {{"error", "a restart is under way already"}, {"fix", "wait"}};
        auto started = Successor::start(
            loop_, [this] { hand_over(); },
            [this](const std::string& why) {
                log("The restart has failed, this process goes on: " + why);
                loop_.post([this] { successor_.reset(); });
            });
        if (!started) return {{"error", started.error()}, {"fix", "see that it is installed"}};
        successor_ = *std::move(started);
        return {{"done", true}, {"pid", successor_->pid()}};
    }

    void hand_over() {
        operation_->give_up_addresses();
        auto handover = operation_->relay().hand_over();
        if (!handover) return go_on(handover.error());
        const auto sent = relay::send_handover(successor_->socket(), *std::move(handover));
        if (!sent) return go_on(sent.error());
        if (!successor_->wait_until_in_place()) {
            return go_on(
                "the new process did not take the sessions over; what it says about that "
                "stands before this");
        }
        operation_->relay().leave();
        successor_->let_serve();
        notify_manager(fmt::format("MAINPID={}", successor_->pid()));
        log(fmt::format("Process {} serves; TLS and DTLS clients stay here until they are gone",
                        successor_->pid()));
        operation_->drain();
    }

    // Nothing has moved yet.
    void go_on(const std::string& why) {
        successor_->end();
        operation_->relay().stay();
        operation_->take_addresses();
        log("The restart has failed, this process goes on: " + why);
        loop_.post([this] { successor_.reset(); });
    }

    std::string config_name_;
    relay::StateFolder state_;
    drivers::Loop loop_;
    std::unique_ptr<relay::Operation> operation_;
    std::unique_ptr<Successor> successor_;
};

}  // namespace

int serve(const std::string& config_name) {
    relay::raise_descriptor_limit();
    const auto config = load_config(config_name);
    if (!config) {
        fmt::print(stderr, "{}", config.error());
        return static_cast<int>(app::ExitCode::BadConfiguration);
    }
    const auto state = open_state(config->file);
    if (!state) return app::fail(state.error());
    return Server{config_name, *state}.run();
}

}  // namespace stile::turnd
