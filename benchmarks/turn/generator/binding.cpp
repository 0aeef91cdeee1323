// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "json.hpp"
#include "modes.hpp"
#include "network.hpp"
#include "sessions.hpp"

#include <stile/stun/attributes.hpp>
#include <stile/stun/message_builder.hpp>
#include <stile/stun/message_view.hpp>

#include <sys/epoll.h>
#include <sys/socket.h>
#include <algorithm>
#include <array>
#include <cstring>

namespace stile::bench {
namespace {

constexpr std::int64_t stall = 20'000'000;
constexpr std::int64_t settle = 100'000'000;
constexpr std::size_t most_at_once = 256;
constexpr double most_late_seconds = 0.02;

// Requests on many sockets in turn; each answer is checked for its request and its content.
class Binding {
public:
    Binding(const Options& options, std::vector<Session> sessions)
        : options_(options), sessions_(std::move(sessions)), poll_(epoll_create1(EPOLL_CLOEXEC)) {
        for (std::size_t i = 0; i < sessions_.size(); ++i) {
            epoll_event wish{.events = EPOLLIN, .data = {.u64 = i}};
            epoll_ctl(poll_.get(), EPOLL_CTL_ADD, sessions_[i].socket.get(), &wish);
        }
    }

    std::string run() {
        const CpuAccounting accounting{options_.server_processes};
        started_ = last_answer_ = steady_now();
        const std::int64_t measure_from = started_ + after(options_.warm_up);
        const std::int64_t measure_until = measure_from + after(options_.measured);
        CpuTimes before;
        std::uint64_t answered_before = 0;
        bool measuring = false;
        const std::int64_t tick = after(options_.tick);
        for (std::int64_t now = started_; now < measure_until; now = steady_now()) {
            if (!measuring && now >= measure_from) {
                measuring = true;
                before = accounting.now();
                answered_before = answered_;
            }
            send_due(now);
            collect();
            sleep_until(started_ + ((now - started_) / tick + 1) * tick);
        }
        const CpuTimes used = accounting.now() - before;
        const std::uint64_t measured = answered_ - answered_before;
        last_answer_ = steady_now();
        while (answered_ < sent_ && steady_now() - last_answer_ < settle) collect();
        JsonObject json;
        json.add("sent", sent_).add("received", answered_).add("lost", sent_ - answered_);
        json.add("corrupt", wrong_).add("measured_received", measured);
        return std::move(json.add(used)).finish();
    }

private:
    static std::int64_t after(std::chrono::duration<double> duration) {
        return std::chrono::duration_cast<std::chrono::nanoseconds>(duration).count();
    }

    void send_due(std::int64_t now) {
        std::size_t due = 0;
        if (options_.rate) {
            const double wanted = static_cast<double>(now - started_) * 1e-9 * *options_.rate -
                                  static_cast<double>(sent_) - skipped_;
            const double most = std::max(*options_.rate * most_late_seconds, 1.0);
            if (wanted > most) skipped_ += wanted - most;
            due = static_cast<std::size_t>(std::clamp(wanted, 0.0, most));
        } else {
            if (now - last_answer_ > stall) {
                written_off_ = sent_ - answered_;
                last_answer_ = now;
            }
            const std::uint64_t open = sent_ - answered_;
            const std::uint64_t under_way = open - std::min(open, written_off_);
            if (under_way < options_.window) due = options_.window - under_way;
        }
        for (std::size_t i = 0; i < std::min(due, most_at_once); ++i) {
            stun::MessageBuilder builder{stun::Class::Request, stun::Method::Binding, id(sent_)};
            const Bytes request = builder.finish();
            Session& session = sessions_[sent_ % sessions_.size()];
            if (!send_train(session.socket.get(), nullptr, BytesView{request}, 1)) return;
            ++sent_;
        }
    }

    void collect() {
        std::array<epoll_event, 64> events{};
        std::array<std::byte, 2048> buffer{};
        const int ready = epoll_wait(poll_.get(), events.data(), events.size(), 0);
        for (int i = 0; i < ready; ++i) {
            const std::size_t at = events[static_cast<std::size_t>(i)].data.u64;
            for (int reads = 0; reads < 64; ++reads) {
                const ssize_t size =
                    recv(sessions_[at].socket.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
                if (size < 0) break;
                judge(at, BytesView{buffer}.first(static_cast<std::size_t>(size)));
            }
        }
    }

    void judge(std::size_t at, BytesView datagram) {
        const auto answer = stun::MessageView::parse(datagram);
        std::uint64_t number = sent_;
        if (answer) std::memcpy(&number, answer->id().octets.data(), sizeof number);
        if (number >= sent_ || number % sessions_.size() != at || answer->id() != id(number) ||
            !says_what_it_must(*answer, sessions_[at].local)) {
            ++wrong_;
            return;
        }
        const std::size_t word = number / 64;
        if (word >= seen_.size()) seen_.resize(std::max(2 * seen_.size(), word + 1));
        const std::uint64_t bit = std::uint64_t{1} << (number % 64);
        if ((seen_[word] & bit) != 0) {
            ++wrong_;
            return;
        }
        seen_[word] |= bit;
        ++answered_;
        last_answer_ = steady_now();
    }

    bool says_what_it_must(const stun::MessageView& answer, const SocketAddress& local) const {
        if (answer.method() != stun::Method::Binding) return false;
        if (options_.answer == Options::Answer::Echo) {
            return answer.message_class() == stun::Class::Request;
        }
        const auto mapped = answer.get<stun::XorMappedAddress>();
        return answer.message_class() == stun::Class::SuccessResponse && mapped &&
               mapped->address == local;
    }

    static stun::TransactionId id(std::uint64_t number) {
        stun::TransactionId id{};
        std::memcpy(id.octets.data(), &number, sizeof number);
        const std::uint32_t mixed = static_cast<std::uint32_t>(number) * 2654435761U;
        std::memcpy(id.octets.data() + sizeof number, &mixed, sizeof mixed);
        return id;
    }

    const Options& options_;
    std::vector<Session> sessions_;
    drivers::FileDescriptor poll_;
    std::int64_t started_ = 0;
    std::int64_t last_answer_ = 0;
    std::uint64_t sent_ = 0;
    std::uint64_t answered_ = 0;
    std::uint64_t wrong_ = 0;  // not what was asked for, or answered twice
    std::uint64_t written_off_ = 0;
    double skipped_ = 0;
    std::vector<std::uint64_t> seen_;
};

}  // namespace

std::string run_binding(const Options& options) {
    return Binding{options, open_sessions(options, options.flows)}.run();
}

}  // namespace stile::bench
