// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// What a diagnosis says of one's own server, the clock and the login.
#include "doctor.hpp"

#include <fmt/format.h>

namespace stile::nat_probe {
namespace {

std::string seconds_text(Duration duration) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(duration).count();
    if (seconds < 120) return fmt::format("{} s", seconds);
    if (seconds < 7200) return fmt::format("{} min", seconds / 60);
    if (seconds < 172'800) return fmt::format("{} h", seconds / 3600);
    return fmt::format("{} days", seconds / 86'400);
}

}  // namespace

void Doctor::judge_server() {
    if (!found_.server) {
        return add("Server", Level::Note, "nobody is logged in here",
                   "relay, clock and certificates cannot be tested",
                   "stile login LINK, or name a STUN server with --stun");
    }
    const Server& server = *found_.server;
    if (server.not_found) {
        return add("Server", Level::Bad, server.not_found->what, server.not_found->cause,
                   server.not_found->fix);
    }
    judge_reach("HTTPS", server.https, "without it there are no relay credentials");
    judge_reach("SIP", server.sips, "without it nobody is found and nobody finds you");
}

void Doctor::judge_reach(const char* topic, const Reach& reach, const char* means) {
    using drivers::CloseReason;
    if (reach.took) {
        return add(topic, Level::Good,
                   fmt::format("reached in {:.0f} ms, certificate and name are right",
                               in_milliseconds(*reach.took)));
    }
    if (!reach.failure) {
        return add(topic, Level::Bad, "no answer in time", means,
                   "see whether stiled runs there and a firewall is in between");
    }
    const std::string why =
        fmt::format("{} ({})", drivers::to_string(reach.failure->reason), reach.failure->text);
    switch (reach.failure->reason) {
        case CloseReason::Expired:
            judged_expired_ = true;
            return add(topic, Level::Bad, why,
                       "the server's certificate is not valid at this machine's time",
                       "set the clock (timedatectl set-ntp true); if it is right, the server's "
                       "certificate has run out: see 'stiled check' there");
        case CloseReason::Untrusted:
        case CloseReason::WrongName:
            return add(topic, Level::Bad, why, "what answers there is not your server",
                       "somebody may be in between: ask the server's operator");
        case CloseReason::RejectedByPeer:
            return add(topic, Level::Bad, why, "the server does not take this login",
                       "log in again with a new link: stiled user link NAME");
        case CloseReason::Refused:
            return add(topic, Level::Bad, why, means, "start stiled there");
        case CloseReason::Local:
        case CloseReason::PeerClosed:
        case CloseReason::Truncated:
        case CloseReason::Reset:
        case CloseReason::Unreachable:
        case CloseReason::TimedOut:
        case CloseReason::Protocol:
        case CloseReason::Proxy:
        case CloseReason::Failed:
            break;
    }
    add(topic, Level::Bad, why, means,
        "see whether stiled runs there and a firewall is in between");
}

void Doctor::judge_clock() {
    if (found_.clock_ahead) {
        const Duration ahead = *found_.clock_ahead;
        const Duration off = ahead < Duration::zero() ? -ahead : ahead;
        const std::string words =
            off < std::chrono::seconds{2}
                ? "as the server's"
                : fmt::format("{} {} the server's", seconds_text(off),
                              ahead < Duration::zero() ? "behind" : "ahead of");
        if (off < tolerated_skew) {
            add("Clock", Level::Good, words);
        } else {
            add("Clock", off < harmful_skew ? Level::Note : Level::Bad, words,
                "certificates and relay credentials are good for a time, and two clocks "
                "differ on it",
                "set the clock that is wrong: timedatectl set-ntp true");
        }
    }
    if (!found_.certificate_until) return;
    const Duration left = *found_.certificate_until - found_.wall_clock;
    if (left <= Duration::zero()) {
        add("Login", Level::Bad, "this login's certificate has run out",
            "the server and peers refuse it", "log in again with a new link");
    } else if (left < std::chrono::hours{24 * 14}) {
        add("Login", Level::Note,
            fmt::format("this login's certificate runs out in {}", seconds_text(left)), "",
            "log in again with a new link");
    }
}

}  // namespace stile::nat_probe
