// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "download.hpp"

#include <stile/http/content_digest.hpp>
#include <stile/http/range.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstring>

namespace stile::peer {
namespace {

constexpr std::size_t buffer_octets = 262'144;
constexpr std::size_t most_tag_octets = 1024;

app::Problem local_problem(const std::string& what, const std::string& path) {
    return {app::ExitCode::Local, what, std::strerror(errno), path,
            "check that there is room and that the folder is writable"};
}

app::Problem unwritable_output() {
    return {app::ExitCode::Local, "Standard output cannot be written", std::strerror(errno), "",
            "see what it leads to"};
}

std::string read_small(const std::string& path) {
    const drivers::FileDescriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    std::array<char, most_tag_octets> buffer{};
    const ssize_t count = file.valid() ? ::read(file.get(), buffer.data(), buffer.size()) : 0;
    return count > 0 ? std::string{buffer.data(), static_cast<std::size_t>(count)} : std::string{};
}

bool write_all(int descriptor, BytesView bytes) {
    while (!bytes.empty()) {
        const ssize_t count = ::write(descriptor, bytes.data(), bytes.size());
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return false;
        bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
    return true;
}

// What can be written without waiting; empty where it cannot be written at all. A pipe that poll()
// calls writable takes PIPE_BUF octets at once, whether it waits or not. To let it not wait would
// change it for all programs that have it.
std::optional<std::size_t> write_some(int descriptor, BytesView bytes) {
    std::size_t written = 0;
    while (written < bytes.size()) {
        pollfd asked{.fd = descriptor, .events = POLLOUT, .revents = 0};
        const int ready = ::poll(&asked, 1, 0);
        if (ready < 0 && errno == EINTR) continue;
        if (ready == 0) break;
        const BytesView next = bytes.subspan(written);
        const ssize_t count =
            ::write(descriptor, next.data(), std::min<std::size_t>(next.size(), PIPE_BUF));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0 && errno == EAGAIN) break;
        if (count < 0) return std::nullopt;
        written += static_cast<std::size_t>(count);
    }
    return written;
}

// Standard output. A terminal promises room for a single octet only, so it is opened once more, not
// to wait.
drivers::FileDescriptor open_output() {
    if (::isatty(STDOUT_FILENO) == 1) {
        drivers::FileDescriptor terminal{
            ::open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)};
        if (terminal.valid()) return terminal;
    }
    return drivers::FileDescriptor{::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0)};
}

}  // namespace

std::expected<Download, app::Problem> Download::open(const std::string& output, Existing existing) {
    Download download;
    download.existing_ = existing;
    download.output_ = output;
    if (output == "-") {
        download.sink_ = Sink::Output;
        download.file_ = open_output();
        if (download.file_.valid()) return download;
        return std::unexpected(unwritable_output());
    }
    download.file_ = drivers::FileDescriptor{
        ::open(download.part().c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644)};
    if (!download.file_.valid()) {
        return std::unexpected(local_problem("The file cannot be written", download.part()));
    }
    // Two at once would write over each other. The lock ends with the program, however that ends.
    if (::flock(download.file_.get(), LOCK_EX | LOCK_NB) != 0) {
        return std::unexpected(app::Problem{app::ExitCode::Local,
                                            "This download is under way already",
                                            "another program holds its .part file", download.part(),
                                            "wait for it, or name another --output"});
    }
    struct stat facts{};
    ::fstat(download.file_.get(), &facts);
    download.tag_ = read_small(download.tag_file());
    if (download.tag_.empty() || facts.st_size == 0) {
        if (auto fresh = download.restart(); !fresh) return std::unexpected(fresh.error());
        return download;
    }
    Bytes buffer(buffer_octets);
    for (;;) {
        const ssize_t count = ::read(download.file_.get(), buffer.data(), buffer.size());
        if (count <= 0) break;
        download.hasher_.update(BytesView{buffer}.first(static_cast<std::size_t>(count)));
        download.resumed_ += static_cast<std::uint64_t>(count);
    }
    download.octets_ = download.resumed_;
    return download;
}

std::expected<void, app::Problem> Download::restart() {
    resumed_ = octets_ = 0;
    hasher_ = crypto::Hasher{crypto::DigestAlgorithm::Sha256};
    if (sink_ == Sink::Output) return {};
    if (::ftruncate(file_.get(), 0) != 0 || ::lseek(file_.get(), 0, SEEK_SET) != 0) {
        return std::unexpected(local_problem("The file cannot be written", part()));
    }
    return {};
}

Download::Resumption Download::resume() {
    total_.reset();
    digest_fields_ = {};
    if (has_strong_tag()) {
        resumed_ = octets_;
    } else if (sink_ == Sink::Output && octets_ > 0) {
        return Resumption::No;
    } else {
        resumed_ = 0;
    }
    return Resumption::Yes;
}

std::vector<quic::Field> Download::request_fields() const {
    if (resumed_ == 0) return {};
    return {{"range", fmt::format("bytes={}-", resumed_)}, {"if-range", tag_}};
}

std::expected<void, app::Problem> Download::handle_head(const quic::ResponseHead& head) {
    const auto field = [&](std::string_view name) {
        return std::string{quic::find_field(head.fields, name).value_or("")};
    };
    if (head.status == 416) {
        const auto range = http::ContentRange::parse(field("content-range"));
        ignores_body_ = true;
        if (range && range->complete == resumed_) {
            total_ = resumed_;
            read_digest(head.fields);
            return {};
        }
        // What is here is longer than the object: it is of another time.
        ::unlink(tag_file().c_str());
        return std::unexpected(app::Problem{app::ExitCode::Damaged,
                                            "The object has changed since it was begun",
                                            "it is shorter than what is here already",
                                            field("content-range"), "try again: it starts anew"});
    }
    if (head.status == 206) {
        const auto range = http::ContentRange::parse(field("content-range"));
        if (!range || !range->range || range->range->first != resumed_) {
            return std::unexpected(app::Problem{app::ExitCode::Damaged,
                                                "The answer is for another part than was asked for",
                                                "", field("content-range"), "try again"});
        }
        total_ = range->complete;
    } else {
        if (sink_ == Sink::Output && octets_ > 0) {
            return std::unexpected(app::Problem{
                app::ExitCode::Damaged, "The object has changed since it was begun", "",
                "its beginning is written to standard output", "try again: it starts anew"});
        }
        // The object has changed, or there was nothing yet: from the start.
        if (auto fresh = restart(); !fresh) return fresh;
        const std::string length = field("content-length");
        if (!length.empty()) total_ = std::strtoull(length.c_str(), nullptr, 10);
    }
    tag_ = field("etag");
    read_digest(head.fields);
    if (sink_ == Sink::Output) return {};
    if (!has_strong_tag()) {
        ::unlink(tag_file().c_str());
        return {};
    }
    const drivers::FileDescriptor kept{
        ::open(tag_file().c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644)};
    if (!kept.valid() || !write_all(kept.get(), as_bytes(tag_))) {
        return std::unexpected(local_problem("The file cannot be written", tag_file()));
    }
    return {};
}

std::expected<std::size_t, app::Problem> Download::handle_body(BytesView bytes) {
    if (ignores_body_) return bytes.size();
    if (sink_ == Sink::Output) {
        const auto written = write_some(file_.get(), bytes);
        if (!written) return std::unexpected(unwritable_output());
        bytes = bytes.first(*written);
    } else if (!write_all(file_.get(), bytes)) {
        return std::unexpected(local_problem("The file cannot be written", part()));
    }
    hasher_.update(bytes);
    octets_ += bytes.size();
    return bytes.size();
}

void Download::handle_trailers(const std::vector<quic::Field>& fields) { read_digest(fields); }

void Download::read_digest(const std::vector<quic::Field>& fields) {
    for (const quic::Field& field : fields) {
        if (field.name == "repr-digest") (void)digest_fields_.receive(field.name, field.value);
    }
}

std::expected<Download::Verified, app::Problem> Download::finish() {
    if (total_ && *total_ != octets_) {
        return std::unexpected(
            app::Problem{app::ExitCode::Damaged, "The object is incomplete", "",
                         fmt::format("{} of {} octets have come", octets_, *total_),
                         "try again: it goes on where it was"});
    }
    digest_ = hasher_.finish();
    const auto check =
        http::check_sha256(digest_fields_, http::DigestField::Representation, digest_.bytes());
    if (check == http::DigestCheck::Differs) {
        ::unlink(tag_file().c_str());
        return std::unexpected(app::Problem{app::ExitCode::Damaged, "The object is damaged",
                                            "its SHA-256 is not the one that the peer states",
                                            digest_.to_hex(), "try again: it starts anew"});
    }
    if (sink_ == Sink::File) {
        // What has appeared meanwhile is not ours to replace.
        const unsigned flags = existing_ == Existing::Refuse ? RENAME_NOREPLACE : 0U;
        if (::renameat2(AT_FDCWD, part().c_str(), AT_FDCWD, output_.c_str(), flags) != 0) {
            return std::unexpected(local_problem("The file cannot be given its name", output_));
        }
        ::unlink(tag_file().c_str());
    }
    return check == http::DigestCheck::Matches ? Verified::Sha256 : Verified::NoDigest;
}

}  // namespace stile::peer
