// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/relay/state_folder.hpp>

#include <stile/base/encoding.hpp>
#include <stile/base/text.hpp>
#include <stile/base/try.hpp>
#include <stile/drivers/file_descriptor.hpp>
#include <stile/drivers/random.hpp>
#include <stile/turn/limits.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace stile::relay {
namespace {

constexpr std::size_t secret_octets = 32;
constexpr mode_t private_file = 0600;

std::string variable(const char* name) {
    const char* const value = std::getenv(name);
    return value == nullptr ? std::string{} : std::string{value};
}

std::string make_secret() {
    crypto::RandomStream random{drivers::random_seed()};
    return to_hex(random.bytes(secret_octets));
}

}  // namespace

std::expected<void, app::Problem> write_file(const std::string& path, std::string_view text) {
    const std::string fresh = path + ".new";
    const auto problem = [&](int code) {
        return std::unexpected(app::file_problem("A file cannot be written", path, code));
    };
    {
        const drivers::FileDescriptor file{
            ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, private_file)};
        if (!file.valid()) return problem(errno);
        while (!text.empty()) {
            const ssize_t count = ::write(file.get(), text.data(), text.size());
            if (count < 0) return problem(errno);
            text.remove_prefix(static_cast<std::size_t>(count));
        }
        if (::fsync(file.get()) != 0) return problem(errno);
    }
    if (std::rename(fresh.c_str(), path.c_str()) != 0) return problem(errno);
    return {};
}

std::string StateFolder::choose(const std::string& configured, const std::string& program) {
    if (!configured.empty()) return configured;
    if (auto systemd = variable("STATE_DIRECTORY"); !systemd.empty()) return systemd;
    if (::geteuid() == 0) return "/var/lib/" + program;
    if (auto state = variable("XDG_STATE_HOME"); !state.empty()) return state + '/' + program;
    return variable("HOME") + "/.local/state/" + program;
}

std::expected<StateFolder, app::Problem> StateFolder::open(std::string path) {
    std::error_code error;
    if (!std::filesystem::is_directory(path, error)) {
        std::filesystem::create_directories(path, error);
        if (!error) {
            std::filesystem::permissions(path, std::filesystem::perms::owner_all, error);
        }
        if (error) {
            return std::unexpected(app::Problem{
                app::ExitCode::Local, "The state directory cannot be made", error.message(), path,
                "make the folder above it writable, or name another as "
                "state_directory in the configuration"});
        }
    }
    if (::access(path.c_str(), W_OK | X_OK) != 0) {
        return std::unexpected(
            app::file_problem("The state directory cannot be used", path, errno));
    }
    return StateFolder{std::move(path)};
}

std::expected<std::vector<turn::SharedSecret>, app::Problem> StateFolder::secrets() const {
    const std::string path = path_ + "/secrets";
    if (::access(path.c_str(), F_OK) != 0) {
        const auto made = add_secret(0);
        if (!made) return std::unexpected(made.error());
    }
    const std::string text = STILE_TRY(read_file(path, "The relay's secret"));
    std::vector<turn::SharedSecret> secrets;
    std::string_view rest = text;
    while (!rest.empty() && secrets.size() < turn::most_shared_secrets) {
        const std::string_view line = trim(take_until(rest, '\n'));
        if (!line.empty()) secrets.push_back({.secret = std::string{line}});
    }
    return secrets;
}

std::expected<turn::SharedSecret, app::Problem> StateFolder::add_secret(std::size_t keep) const {
    const std::string path = path_ + "/secrets";
    std::string text = make_secret();
    turn::SharedSecret made{.secret = text};
    text += '\n';
    if (keep > 0 && ::access(path.c_str(), F_OK) == 0) {
        const std::string old = STILE_TRY(read_file(path, "The relay's secret"));
        std::string_view rest = old;
        while (!rest.empty() && keep > 0) {
            const std::string_view line = trim(take_until(rest, '\n'));
            if (line.empty()) continue;
            text += line;
            text += '\n';
            --keep;
        }
    }
    const auto written = write_file(path, text);
    if (!written) return std::unexpected(written.error());
    return made;
}

std::expected<std::array<std::byte, 32>, app::Problem> StateFolder::nonce_key() const {
    const std::string path = path_ + "/nonce-key";
    std::array<std::byte, 32> key{};
    if (::access(path.c_str(), F_OK) == 0) {
        const std::string text = STILE_TRY(read_file(path, "The key of nonces"));
        std::string_view rest = text;
        const auto octets = from_hex(take_until(rest, '\n'));
        if (octets && octets->size() == key.size()) {
            std::ranges::copy(*octets, key.begin());
            return key;
        }
    }
    crypto::RandomStream random{drivers::random_seed()};
    random.fill(key);
    const auto written = write_file(path, to_hex(key) + '\n');
    if (!written) return std::unexpected(written.error());
    return key;
}

}  // namespace stile::relay
