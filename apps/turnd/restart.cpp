// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "restart.hpp"

#include <stile/base/text.hpp>

#include <fmt/format.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <vector>

namespace stile::turnd {
namespace {

constexpr const char* predecessor_variable = "STILE_TURND_PREDECESSOR";
// A number that the successor finds its socket at.
constexpr int predecessor_fd = 3;
// The successor reads its configuration and may ask a STUN server.
constexpr Duration patience = std::chrono::seconds{60};
// Reading back what the old process had is a matter of seconds, and nobody is served meanwhile.
constexpr timeval handover_patience{.tv_sec = 20, .tv_usec = 0};
// What the two say to each other. The successor: its configuration is good; all it was handed is
// in place. The old process: everything is yours; I go on after all.
constexpr char ready_octet = 'R';
constexpr char in_place_octet = 'P';
constexpr char serve_octet = 'S';
constexpr char abandon_octet = 'A';

bool say(int fd, char octet) { return ::send(fd, &octet, 1, MSG_NOSIGNAL) == 1; }

// Blocks. Absent: the other end is gone, or says nothing for longer than the socket allows.
std::optional<char> hear(int fd) {
    char octet = 0;
    ssize_t count = 0;
    do {
        count = ::recv(fd, &octet, 1, 0);
    } while (count < 0 && errno == EINTR);
    return count == 1 ? std::optional{octet} : std::nullopt;
}

// The words that this process was started with, and its environment with one more.
std::vector<std::string> own_words() {
    std::ifstream file{"/proc/self/cmdline", std::ios::binary};
    const std::string all{std::istreambuf_iterator<char>{file}, {}};
    std::vector<std::string> words;
    std::string_view rest = all;
    while (!rest.empty()) words.emplace_back(take_until(rest, '\0'));
    return words;
}

// The installed file, also when it was replaced since this process started.
std::string own_program() {
    std::array<char, 4096> path{};
    const ssize_t count = ::readlink("/proc/self/exe", path.data(), path.size() - 1);
    std::string program =
        count > 0 ? std::string{path.data(), static_cast<std::size_t>(count)} : "";
    constexpr std::string_view deleted = " (deleted)";
    if (program.ends_with(deleted)) program.resize(program.size() - deleted.size());
    return program;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> all;
    for (std::string& text : texts) all.push_back(text.data());
    all.push_back(nullptr);
    return all;
}

}  // namespace

std::optional<drivers::FileDescriptor> predecessor() {
    const char* const value = std::getenv(predecessor_variable);
    if (value == nullptr) return std::nullopt;
    ::unsetenv(predecessor_variable);
    const auto number = parse_unsigned(value, 1024);
    if (!number) return std::nullopt;
    return drivers::FileDescriptor{static_cast<int>(*number)};
}

bool say_ready(const drivers::FileDescriptor& predecessor) {
    return say(predecessor.get(), ready_octet);
}
bool may_serve(const drivers::FileDescriptor& predecessor) {
    (void)say(predecessor.get(), in_place_octet);
    return hear(predecessor.get()) != abandon_octet;
}

std::expected<std::unique_ptr<Successor>, std::string> Successor::start(drivers::Loop& loop,
                                                                        OnReady on_ready,
                                                                        OnFailed on_failed) {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
        return std::unexpected(std::string{std::strerror(errno)});
    }
    std::unique_ptr<Successor> successor{new Successor};
    successor->socket_.reset(ends[0]);
    (void)::setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &handover_patience,
                       sizeof handover_patience);
    (void)::setsockopt(ends[0], SOL_SOCKET, SO_SNDTIMEO, &handover_patience,
                       sizeof handover_patience);
    drivers::FileDescriptor theirs{ends[1]};
    if (theirs.get() == predecessor_fd) {
        // dup2 onto itself would leave close-on-exec set.
        theirs.reset(::dup(theirs.release()));
    }
    std::vector<std::string> words = own_words();
    std::vector<std::string> environment;
    for (char** entry = environ; *entry != nullptr; ++entry) environment.emplace_back(*entry);
    environment.push_back(fmt::format("{}={}", predecessor_variable, predecessor_fd));
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, theirs.get(), predecessor_fd);
    const std::string program = own_program();
    const int failed = ::posix_spawn(&successor->pid_, program.c_str(), &actions, nullptr,
                                     pointers(words).data(), pointers(environment).data());
    posix_spawn_file_actions_destroy(&actions);
    if (failed != 0) {
        return std::unexpected(fmt::format("{}: {}", program, std::strerror(failed)));
    }
    successor->on_ready_ = std::move(on_ready);
    successor->on_failed_ = std::move(on_failed);
    Successor* const raw = successor.get();
    successor->watch_ = std::make_unique<drivers::Watch>(loop, raw->socket_.get(),
                                                         [raw] { raw->handle_readable(); });
    successor->watch_->want_readable(drivers::Watch::Wanted::Yes);
    successor->deadline_ = std::make_unique<drivers::Timer>(loop, [raw] {
        raw->watch_.reset();
        raw->end();
        raw->on_failed_("the new process did not get ready in time");
    });
    successor->deadline_->arm_after(patience);
    return successor;
}

Successor::~Successor() {
    // Reaped where it has ended; one that serves goes on.
    if (pid_ > 0) (void)::waitpid(pid_, nullptr, WNOHANG);
}

void Successor::handle_readable() {
    char octet = 0;
    const ssize_t count = ::recv(socket_.get(), &octet, 1, MSG_DONTWAIT);
    if (count < 0) return;
    watch_.reset();
    deadline_->disarm();
    if (count == 1 && octet == ready_octet) return on_ready_();
    end();
    on_failed_("the new process ended; what it says about that stands before this");
}

bool Successor::wait_until_in_place() const { return hear(socket_.get()) == in_place_octet; }

void Successor::let_serve() const { (void)say(socket_.get(), serve_octet); }

void Successor::end() {
    (void)say(socket_.get(), abandon_octet);
    (void)::kill(pid_, SIGKILL);
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
}

void notify_manager(std::string_view state) {
    const char* const path = std::getenv("NOTIFY_SOCKET");
    if (path == nullptr) return;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string_view name{path};
    if (name.empty() || name.size() >= sizeof address.sun_path) return;
    std::memcpy(address.sun_path, name.data(), name.size());
    if (address.sun_path[0] == '@') address.sun_path[0] = '\0';  // an abstract name
    const drivers::FileDescriptor socket{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    (void)::sendto(socket.get(), state.data(), state.size(), MSG_NOSIGNAL,
                   reinterpret_cast<const sockaddr*>(&address),
                   static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size()));
}

}  // namespace stile::turnd
