// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "commands.hpp"
#include "describe.hpp"
#include "download.hpp"
#include "event_log.hpp"
#include "node.hpp"
#include "target.hpp"

#include <stile/http/directory_page.hpp>
#include <stile/http/path.hpp>

#include <fmt/format.h>
#include <unistd.h>
#include <csignal>

namespace stile::peer {
namespace {

constexpr Duration progress_interval = std::chrono::milliseconds{200};

// A session that dies is followed by another, which goes on where it was: after a second, then
// after twice as long each time. Without an octet more this often in a row it is given up: by then
// a peer that was started anew, or has changed its network, has been there for long.
constexpr std::uint32_t most_attempts = 5;
constexpr Duration first_wait = std::chrono::seconds{1};

// What time may mend. The rest is said of the account, the object or the peer's identity.
bool is_passing(const app::Problem& problem) {
    using app::ExitCode;
    return problem.code == ExitCode::NoPath || problem.code == ExitCode::TimedOut ||
           problem.code == ExitCode::Declined || problem.code == ExitCode::NotFound;
}

std::string name_for(const Target& target) {
    const auto path = http::clean_path(target.path);
    if (!path || path->segments.empty() || path->trailing_slash == http::TrailingSlash::Yes) {
        return "index.html";
    }
    return path->segments.back();
}

app::Problem problem_of_status(unsigned status, const GetOptions& options) {
    const std::string evidence = fmt::format("HTTP status {}", status);
    if (status == 404 || status == 410) {
        return {app::ExitCode::NotFound, fmt::format("There is no {}", options.target),
                "the peer is there, this object is not", evidence,
                "look at the folder: stile get -o - ADDRESS/"};
    }
    if (status == 401 || status == 403) {
        return {app::ExitCode::NotAuthorised, fmt::format("{} may not be read", options.target), "",
                evidence, "ask who shares it"};
    }
    return {app::ExitCode::Other, fmt::format("{} cannot be fetched", options.target), "", evidence,
            "try again; if it stays so, ask who shares it"};
}

// One `stile get`, from the first packet to the exit code.
class Get {
public:
    Get(const GetOptions& options, Target target, Download download, drivers::PeerStore& store,
        Account account)
        : options_(options),
          target_(std::move(target)),
          download_(std::move(download)),
          progress_(loop_, [this] { show_progress(); }),
          retry_(loop_, [this] { reach(); }),
          node_(loop_, store, std::move(account), session::Purpose::Ask,
                {.on_trouble = [this](const app::Problem& problem) { trouble_ = problem; }}),
          signals_(loop_, {SIGINT, SIGTERM}, [this](int) {
              say("");
              say("Interrupted. What has come is kept: the same command goes on from there.");
              end(static_cast<int>(app::ExitCode::Interrupted));
          }) {}

    // Which must outlive this.
    void keep_log(EventLog& log) { node_.keep_log(log); }
    int run() {
        say(fmt::format("Reaching  {}", target_.address));
        reach();
        loop_.run();
        return result_;
    }

private:
    void reach() {
        node_.open(target_.address, [this](auto link) {
            if (ended_) return;
            if (link) return request(**link);
            if (attempts_ == 0 || !is_passing(link.error())) return fail(link.error());
            try_again(link.error());
        });
    }

    void request(Link& link) {
        const Meeting* const meeting = node_.meeting(link);
        say(fmt::format("Peer      {}, {}", target_.address, describe(meeting->standing)));
        standing_ = meeting->standing;
        show_path(link);
        quic::RequestHead head{.method = "GET",
                               .scheme = "https",
                               .authority = Target::host_of_address(target_.address),
                               .path = target_.path,
                               .fields = download_.request_fields()};
        if (download_.resumed_octets() > 0) {
            say(fmt::format("Resuming  after {}", http::readable_size(download_.resumed_octets())));
        }
        const auto stream = link.request(
            head, {.on_head = [this](const quic::ResponseHead& response) { handle_head(response); },
                   .on_body =
                       [this, &link](BytesView bytes) {
                           show_path(link);
                           return handle_body(bytes);
                       },
                   .on_trailers = [this](const auto& fields) { download_.handle_trailers(fields); },
                   .on_end = [this] { finish(); },
                   .on_failed = [this](const app::Problem& problem) { handle_cut(problem); },
                   .patience = {}});
        if (!stream && stream.error() != quic::RequestError::NotReady) {
            return fail({app::ExitCode::Usage, "This path cannot be asked for", "", target_.path,
                         "check its spelling"});
        }
        if (stream) resume_ = [&link, id = *stream] { link.resume_reading(id); };
        progress_.arm_after(progress_interval);
    }

    void handle_head(const quic::ResponseHead& head) {
        // All had come before: there is nothing after it, and finish() compares length and digest.
        if (head.status == 416 && download_.resumed_octets() > 0) {
            if (const auto taken = download_.handle_head(head); !taken) fail(taken.error());
            return;
        }
        if (head.status != 200 && head.status != 206) {
            return fail(problem_of_status(head.status, options_));
        }
        if (const auto taken = download_.handle_head(head); !taken) return fail(taken.error());
        begun_ = true;
    }

    // How much is used. The rest waits at the peer while standard output has no room.
    std::size_t handle_body(BytesView bytes) {
        if (ended_) return bytes.size();
        const auto taken = download_.handle_body(bytes);
        if (!taken) {
            fail(taken.error());
            return bytes.size();
        }
        if (*taken < bytes.size()) {
            if (!room_) {
                room_.emplace(loop_, download_.output(), drivers::Task{}, [this] {
                    room_->want_writable(drivers::Watch::Wanted::No);
                    if (!ended_) resume_();
                });
            }
            room_->want_writable(drivers::Watch::Wanted::Yes);
        }
        return *taken;
    }

    void handle_cut(const app::Problem& problem) {
        if (ended_) return;
        resume_ = [] {};
        // Nothing has come: the reason is the whole story.
        if (!begun_) return download_.octets() == 0 ? fail(problem) : give_up(problem);
        if (download_.octets() > octets_before_) attempts_ = 0;
        if (!is_passing(problem) || download_.resume() == Download::Resumption::No) {
            return give_up(problem);
        }
        try_again(problem);
    }

    void try_again(const app::Problem& problem) {
        if (attempts_ == most_attempts) return give_up(problem);
        octets_before_ = download_.octets();
        const Duration wait = first_wait * (std::int64_t{1} << attempts_);
        ++attempts_;
        clear_progress();
        say(fmt::format("Cut       after {}: {}. Trying again in {} s ({} of {})",
                        http::readable_size(download_.octets()), problem.what,
                        std::chrono::duration_cast<std::chrono::seconds>(wait).count(), attempts_,
                        most_attempts));
        retry_.arm_after(wait);
    }

    void give_up(const app::Problem& problem) {
        fail({app::ExitCode::Damaged, "The transfer was cut", problem.what + ", " + problem.cause,
              fmt::format("{} octets are kept", download_.octets()),
              "the same command goes on from there"});
    }

    void finish() {
        if (ended_) return;
        const auto verified = download_.finish();
        clear_progress();
        if (!verified) return fail(verified.error());
        const std::string place = options_.output == "-" ? "standard output" : options_.output;
        const std::string size = http::readable_size(download_.octets());
        // Below a thousand that is the number itself.
        say(download_.octets() < 1000
                ? fmt::format("Got       {}, {}", place, size)
                : fmt::format("Got       {}, {} ({} octets)", place, size, download_.octets()));
        say(*verified == Download::Verified::Sha256
                ? fmt::format("Checked   SHA-256 {}, as the peer states it",
                              download_.sha256().to_hex())
                : "Checked   its length; the peer states no digest");
        say("Proven    encrypted end to end, each certificate the one that the session named");
        // At a first meeting the server could have named another key.
        say(standing_ == identity::Standing::NotVerified
                ? fmt::format("Unproven  that the key is {}'s: it was never met before",
                              target_.address)
                : "Proven    the key is the one known: nobody between could read or change it");
        end(0);
    }

    // Said at the start and whenever it changes.
    void show_path(const Link& link) {
        if (!link.route()) return;
        const std::string path = describe(*link.route());
        const bool changed = !shown_route_ || shown_route_->wire != link.route()->wire;
        if (!changed) return;
        shown_route_ = link.route();
        clear_progress();
        say(fmt::format("Path      {}", path));
    }

    void show_progress() {
        if (ended_ || options_.common.verbosity == CommonOptions::Verbosity::Quiet) return;
        if (::isatty(STDERR_FILENO) == 1) {
            const std::string total =
                download_.total() ? " of " + http::readable_size(*download_.total()) : "";
            fmt::print(stderr, "\r\x1b[K  {}{}", http::readable_size(download_.octets()), total);
            std::fflush(stderr);
            progress_shown_ = true;
        }
        progress_.arm_after(progress_interval);
    }

    void clear_progress() {
        if (std::exchange(progress_shown_, false)) fmt::print(stderr, "\r\x1b[K");
    }

    void say(const std::string& line) {
        if (options_.common.verbosity == CommonOptions::Verbosity::Normal) {
            fmt::print(stderr, "{}\n", line);
        }
    }

    void fail(const app::Problem& problem) {
        if (ended_) return;
        clear_progress();
        end(app::fail(problem));
    }

    void end(int result) {
        if (std::exchange(ended_, true)) return;
        result_ = result;
        progress_.disarm();
        retry_.disarm();
        node_.stop([this] { loop_.stop(); });
    }

    const GetOptions& options_;
    Target target_;
    Download download_;
    drivers::Loop loop_;
    drivers::Timer progress_;
    drivers::Timer retry_;
    std::optional<drivers::Watch> room_;  // in standard output, once there was none
    drivers::Task resume_;                // reading the body
    Node node_;
    drivers::Signals signals_;
    identity::Standing standing_ = identity::Standing::NotVerified;
    std::optional<connect::Route> shown_route_;
    std::optional<app::Problem> trouble_;
    bool begun_ = false;               // an answer has come
    std::uint32_t attempts_ = 0;       // in a row, without an octet more
    std::uint64_t octets_before_ = 0;  // the last of them
    bool progress_shown_ = false;
    bool ended_ = false;
    int result_ = 0;
};

}  // namespace

int get(const GetOptions& given) {
    GetOptions options = given;
    auto target = Target::parse(options.target);
    if (!target) {
        return app::fail({app::ExitCode::Usage,
                          fmt::format("'{}' names nothing at a peer", options.target), "", "",
                          "write it like alice@example.org/feed.xml"});
    }
    if (options.output.empty()) options.output = name_for(*target);
    if (options.output != "-" && options.existing == GetOptions::Existing::Refuse &&
        ::access(options.output.c_str(), F_OK) == 0) {
        return app::fail({app::ExitCode::Local, fmt::format("{} is there already", options.output),
                          "", "", "replace it with --force, or name another file with --output"});
    }
    auto store = open_store();
    if (!store) return app::fail(store.error());
    auto account = load_account(*store, options.common.account);
    if (!account) return app::fail(account.error());
    auto log = open_log(options.common);
    if (!log) return app::fail(log.error());
    auto download = Download::open(options.output, options.existing == GetOptions::Existing::Replace
                                                       ? Download::Existing::Replace
                                                       : Download::Existing::Refuse);
    if (!download) return app::fail(download.error());
    Get get{options, *std::move(target), *std::move(download), *store, *std::move(account)};
    if (*log) get.keep_log(**log);
    return get.run();
}

}  // namespace stile::peer
