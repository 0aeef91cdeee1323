// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/app/text_file.hpp>

#include <fmt/format.h>
#include <unistd.h>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

namespace stile::app {
namespace {

constexpr std::size_t most_file_octets = std::size_t{16} * 1024 * 1024;

struct Close {
    void operator()(std::FILE* file) const { (void)std::fclose(file); }
};

}  // namespace

std::expected<std::string, Problem> read_file(const std::string& path, std::string_view what) {
    const auto problem = [&](int code) {
        return std::unexpected(file_problem(fmt::format("{} cannot be read", what), path, code));
    };
    const std::unique_ptr<std::FILE, Close> file{std::fopen(path.c_str(), "rbe")};
    if (!file) return problem(errno);
    std::string text;
    std::array<char, 65536> chunk;
    for (;;) {
        const std::size_t count = std::fread(chunk.data(), 1, chunk.size(), file.get());
        if (std::ferror(file.get()) != 0) return problem(errno);
        if (count == 0) return text;
        text.append(chunk.data(), count);
        if (text.size() > most_file_octets) return problem(EFBIG);
    }
}

Problem file_problem(std::string what, const std::string& path, int code) {
    std::string fix = "see that the folder exists and the disk is not full";
    if (code == EACCES || code == EPERM) {
        fix = fmt::format(
            "let the user that runs this (id {}) read it, and write it where it is "
            "state: see 'ls -l {}'",
            ::geteuid(), path);
    } else if (code == ENOENT) {
        fix = "make the file, or correct its name";
    } else if (code == EISDIR) {
        fix = "name a file: this is a folder";
    }
    return {ExitCode::Local, std::move(what), std::strerror(code), path, fix};
}

}  // namespace stile::app
