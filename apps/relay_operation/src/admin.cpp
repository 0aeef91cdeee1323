// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/relay/admin.hpp>

#include <stile/app/json_field.hpp>
#include <stile/drivers/file_descriptor.hpp>
#include <stile/drivers/tcp.hpp>

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

namespace stile::relay {
namespace {

using nlohmann::json;

constexpr std::size_t most_request_octets = 4096;
// A list of all sessions: 500 octets each, of a million.
constexpr std::size_t most_answer_octets = std::size_t{512} * 1024 * 1024;
// One operator's scripts; more wait in the system's queue.
constexpr std::size_t most_admin_connections = 16;
constexpr int admin_backlog = 16;
constexpr timeval patience{.tv_sec = 60, .tv_usec = 0};

std::optional<sockaddr_un> address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) return std::nullopt;
    std::memcpy(address.sun_path, path.data(), path.size());
    return address;
}

const sockaddr* native(const sockaddr_un& address) {
    return reinterpret_cast<const sockaddr*>(&address);
}

app::Problem socket_problem(const std::string& path, std::string_view cause) {
    return {app::ExitCode::Local, "The admin socket cannot be used", std::string{cause}, path,
            "make the state directory writable, with a path of at most 90 characters"};
}

// The file's identity, to know whether it is still ours.
std::pair<dev_t, ino_t> identity_of(const std::string& path) {
    struct stat facts{};
    if (::stat(path.c_str(), &facts) != 0) return {};
    return {facts.st_dev, facts.st_ino};
}

}  // namespace

struct AdminServer::Impl : std::enable_shared_from_this<Impl> {
    struct Connection {
        std::unique_ptr<drivers::TcpStream> stream;
        std::string received;
    };

    Impl(drivers::Loop& event_loop, std::string socket_path, Handler on_request)
        : loop(event_loop), path(std::move(socket_path)), handler(std::move(on_request)) {}

    void accept() {
        drivers::FileDescriptor fd{
            ::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)};
        if (!fd.valid() || connections.size() >= most_admin_connections) return;
        const std::uint64_t id = ++last_id;
        Connection& connection = connections[id];
        connection.stream =
            drivers::TcpStream::adopt(loop, std::move(fd), {.most_buffered = most_answer_octets});
        const std::weak_ptr<Impl> weak = weak_from_this();
        connection.stream->set_handlers({
            .on_open = {},
            .on_bytes =
                [weak, id](BytesView bytes) {
                    if (const auto self = weak.lock()) self->handle_bytes(id, bytes);
                },
            .on_end = {},
            .on_writable = {},
            .on_closed =
                [weak, id](const drivers::Closed&) {
                    if (const auto self = weak.lock()) self->forget(id);
                },
        });
    }

    void handle_bytes(std::uint64_t id, BytesView bytes) {
        const auto found = connections.find(id);
        if (found == connections.end()) return;
        std::string& received = found->second.received;
        received += as_text(bytes);
        for (;;) {
            const std::size_t end = received.find('\n');
            if (end == std::string::npos) break;
            const json request = json::parse(received.substr(0, end), nullptr, false);
            received.erase(0, end + 1);
            const json answer =
                request.is_object() ? handler(request) : json{{"error", "this is no JSON object"}};
            const std::string line =
                answer.dump(-1, ' ', false, json::error_handler_t::replace) + '\n';
            // The handler may have closed everything.
            const auto still = connections.find(id);
            if (still == connections.end()) return;
            (void)still->second.stream->write(as_bytes(line));
        }
        if (received.size() > most_request_octets) found->second.stream->close();
    }

    void forget(std::uint64_t id) {
        auto connection = connections.extract(id);
        if (!connection) return;
        // Not inside of its own callback.
        loop.post([stream = std::move(connection.mapped().stream)] {});
    }

    drivers::Loop& loop;
    std::string path;
    Handler handler;
    drivers::FileDescriptor listener;
    std::pair<dev_t, ino_t> identity;
    std::unique_ptr<drivers::Watch> watch;
    std::map<std::uint64_t, Connection> connections;
    std::uint64_t last_id = 0;
};

AdminServer::AdminServer(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

std::expected<std::unique_ptr<AdminServer>, app::Problem> AdminServer::open(drivers::Loop& loop,
                                                                            const std::string& path,
                                                                            Handler handler) {
    const auto address = address_of(path);
    if (!address) return std::unexpected(socket_problem(path, "the path is too long"));
    auto impl = std::make_shared<Impl>(loop, path, std::move(handler));
    impl->listener.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    // Bound beside and moved into place: nobody meets the socket before it is private and listens.
    const std::string fresh = path + ".new";
    const auto fresh_address = address_of(fresh);
    if (!fresh_address) return std::unexpected(socket_problem(path, "the path is too long"));
    (void)::unlink(fresh.c_str());
    const mode_t old_mask = ::umask(0177);
    const int bound = ::bind(impl->listener.get(), native(*fresh_address), sizeof *fresh_address);
    const int code = errno;
    ::umask(old_mask);
    if (bound != 0) return std::unexpected(socket_problem(path, std::strerror(code)));
    if (::listen(impl->listener.get(), admin_backlog) != 0 ||
        ::rename(fresh.c_str(), path.c_str()) != 0) {
        return std::unexpected(socket_problem(path, std::strerror(errno)));
    }
    impl->identity = identity_of(path);
    impl->watch = std::make_unique<drivers::Watch>(loop, impl->listener.get(),
                                                   [raw = impl.get()] { raw->accept(); });
    impl->watch->want_readable(drivers::Watch::Wanted::Yes);
    return std::unique_ptr<AdminServer>(new AdminServer(std::move(impl)));
}

AdminServer::~AdminServer() { give_up(); }

void AdminServer::give_up() {
    impl_->watch.reset();
    if (impl_->listener.valid() && identity_of(impl_->path) == impl_->identity) {
        (void)::unlink(impl_->path.c_str());
    }
    impl_->listener.reset();
}

std::expected<json, app::Problem> ask_admin(const std::string& path, const json& request) {
    const auto problem = [&](std::string_view cause) {
        return std::unexpected(app::Problem{
            app::ExitCode::NoPath, "The server does not answer", std::string{cause}, path,
            "start it, or name its state directory by the same --config as it has"});
    };
    const auto address = address_of(path);
    if (!address) return problem("the path of the admin socket is too long");
    const drivers::FileDescriptor fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    (void)::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (::connect(fd.get(), native(*address), sizeof *address) != 0) {
        return problem(std::strerror(errno));
    }
    const std::string line = request.dump() + '\n';
    if (::send(fd.get(), line.data(), line.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(line.size())) {
        return problem(std::strerror(errno));
    }
    std::string answer;
    std::array<char, 65536> chunk;
    while (!answer.ends_with('\n')) {
        const ssize_t count = ::recv(fd.get(), chunk.data(), chunk.size(), 0);
        if (count < 0) return problem(std::strerror(errno));
        if (count == 0) return problem("it closed the connection");
        answer.append(chunk.data(), static_cast<std::size_t>(count));
    }
    json parsed = json::parse(answer, nullptr, false);
    if (!parsed.is_object()) return problem("its answer is not understood");
    if (parsed.contains("error")) {
        return std::unexpected(app::Problem{app::ExitCode::Other, "The server refused",
                                            app::text_of(parsed, "error"), "",
                                            app::text_of(parsed, "fix")});
    }
    return parsed;
}

}  // namespace stile::relay
