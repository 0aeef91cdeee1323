// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "commands.hpp"
#include "examination.hpp"
#include "home.hpp"
#include "node.hpp"
#include "report_output.hpp"
#include "target.hpp"

#include <stile/identity/address.hpp>

#include <fmt/format.h>
#include <algorithm>
#include <csignal>
#include <cstdio>

namespace stile::peer {
namespace {

// A relayed pair is nominated after this (ice::AgentConfig): until then better ones are tried.
constexpr Duration settling_patience = std::chrono::seconds{11};
// For the first byte, beyond which its time is not told.
constexpr Duration answer_patience = std::chrono::seconds{3};
constexpr Duration look_interval = std::chrono::milliseconds{100};

// One attempt to reach a peer, observed to its end, beside an examination of this network's NAT.
class Why {
public:
    Why(const WhyOptions& options, std::string peer, drivers::PeerStore& store, Account account)
        : options_(options),
          peer_(std::move(peer)),
          look_(loop_, [this] { look(); }),
          examination_(loop_, {.account = account,
                               .stun_servers = {},
                               .scope = ExaminationConfig::Scope::NatAlone}),
          node_(loop_, store, std::move(account), session::Purpose::Ask, {}),
          signals_(loop_, {SIGINT, SIGTERM}, [this](int) {
              result_ = static_cast<int>(app::ExitCode::Interrupted);
              finish();
          }) {}

    int run() {
        node_.keep_report_of(peer_);
        if (options_.common.verbosity == CommonOptions::Verbosity::Normal) {
            fmt::print(stderr, "Reaching  {}, which takes up to a quarter of a minute\n", peer_);
        }
        wanted_ = loop_.now();
        node_.open(peer_, [this](auto link) {
            if (link) {
                met_ = loop_.now();
                settled_by_ = loop_.now() + settling_patience;
                ask(**link);
            } else {
                problem_ = link.error();
            }
        });
        look_.arm_after(look_interval);
        loop_.run();
        return result_;
    }

private:
    // What it answers is of no matter here, but when.
    void ask(Link& link) {
        const auto note = [this] {
            if (!answered_) answered_ = loop_.now();
        };
        (void)link.request({.method = "HEAD",
                            .scheme = "https",
                            .authority = Target::host_of_address(peer_),
                            .path = "/"},
                           {.on_head = [note](const quic::ResponseHead&) { note(); },
                            .on_body = [](BytesView body) { return body.size(); },
                            .on_trailers = {},
                            .on_end = {},
                            .on_failed = {},
                            .patience = {}});
    }

    // Until the agent has chosen for good, or has failed.
    bool settled() const {
        if (problem_) return true;
        const auto& report = node_.kept_report();
        if (!settled_by_ || !report) return false;
        const connect::PathReport& path = report->path;
        const bool direct = path.route && path.route->kind == connect::RouteKind::Direct;
        const bool settled = direct || path.state == ice::State::Completed;
        const bool told = answered_ || loop_.now() >= *met_ + answer_patience;
        return (settled && told) || loop_.now() >= *settled_by_;
    }

    void look() {
        if (!settled() || !examination_.done()) return look_.arm_after(look_interval);
        tell();
        finish();
    }

    void tell() {
        const auto& kept = node_.kept_report();
        // Who could not be called was not looked for in the network.
        if (!kept || (problem_ && kept->path.remote.empty())) return tell_problem(kept);
        connect::PathReport report = kept->path;
        SessionReport timed = *kept;
        timed.wanted = wanted_;
        timed.met = met_;
        timed.answered = answered_;
        const std::vector<Phase> took = phases(timed);
        if (problem_) {
            report.state = ice::State::Failed;
            report.route.reset();
            // What it says otherwise is to ask this program.
            problem_->fix = "look at the networks of both sides: stile doctor";
        }
        const connect::Explanation explanation =
            connect::explain(report, examination_.findings().nat);
        result_ = static_cast<int>(explanation.outcome == connect::Outcome::Direct ||
                                           explanation.outcome == connect::Outcome::Relayed
                                       ? app::ExitCode::Done
                                       : app::ExitCode::NoPath);
        if (options_.format == OutputFormat::Json) {
            auto json = to_json(explanation, report, peer_);
            json["phases"] = to_json(took);
            if (problem_) json["error"] = to_json(*problem_);
            return print(dump(json));
        }
        print(to_text(explanation, report, peer_));
        if (!took.empty()) print(fmt::format("Took      {}\n", to_text(took)));
        if (problem_) result_ = app::fail(*problem_);
    }

    void tell_problem(const std::optional<SessionReport>& report) {
        const app::Problem problem = problem_.value_or(app::Problem{
            app::ExitCode::TimedOut, "Nothing is known of " + peer_, "", "", "try again"});
        result_ = app::fail(problem);
        if (options_.format == OutputFormat::Json) {
            nlohmann::ordered_json json{{"peer", peer_}, {"outcome", "not-met"}};
            json["error"] = to_json(problem);
            print(dump(json));
        } else if (report) {
            print(to_text(connect::explain(report->path, examination_.findings().nat), report->path,
                          peer_));
        }
    }

    static void print(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

    void finish() {
        look_.disarm();
        node_.stop([this] { loop_.stop(); });
    }

    const WhyOptions& options_;
    std::string peer_;
    drivers::Loop loop_;
    drivers::Timer look_;
    Examination examination_;
    Node node_;
    drivers::Signals signals_;
    Instant wanted_{};
    std::optional<Instant> met_;
    std::optional<Instant> answered_;
    std::optional<Instant> settled_by_;  // once the peer is met
    std::optional<app::Problem> problem_;
    int result_ = 0;
};

std::expected<std::string, app::Problem> peer_of(const WhyOptions& options,
                                                 drivers::PeerStore& store) {
    if (!options.peer.empty()) {
        // As `get` takes it, the path is of no matter here.
        const auto address =
            identity::Address::parse(options.peer.substr(0, options.peer.find('/')));
        if (address) return address->text();
        return std::unexpected(app::Problem{app::ExitCode::Usage,
                                            fmt::format("'{}' is no address", options.peer), "", "",
                                            "addresses look like alice@example.org"});
    }
    const auto pins = store.pins();
    if (!pins || pins->empty()) {
        return std::unexpected(app::Problem{app::ExitCode::Usage, "Nobody was met yet", "", "",
                                            "name whom to reach: stile why ADDRESS"});
    }
    return std::ranges::max_element(*pins, {}, &drivers::Pin::last_seen)->address;
}

}  // namespace

int why(const WhyOptions& options) {
    auto store = open_store();
    if (!store) return app::fail(store.error());
    auto account = load_account(*store, options.common.account);
    if (!account) return app::fail(account.error());
    auto peer = peer_of(options, *store);
    if (!peer) return app::fail(peer.error());
    Why attempt{options, *std::move(peer), *store, *std::move(account)};
    return attempt.run();
}

}  // namespace stile::peer
