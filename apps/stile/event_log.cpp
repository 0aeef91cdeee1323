// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "event_log.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>

namespace stile::peer {
namespace {

// RFC 3339, as "2026-11-23T04:00:39.123Z".
std::string timestamp(std::chrono::system_clock::time_point time) {
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date{day};
    const std::chrono::hh_mm_ss clock{std::chrono::floor<std::chrono::milliseconds>(time - day)};
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                       static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                       clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                       clock.subseconds().count());
}

}  // namespace

std::expected<EventLog, app::Problem> EventLog::open(const std::string& path) {
    const int descriptor =
        ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, S_IRUSR | S_IWUSR);
    std::FILE* const file = descriptor < 0 ? nullptr : ::fdopen(descriptor, "a");
    if (file != nullptr) return EventLog{file};
    const std::string why = std::strerror(errno);
    if (descriptor >= 0) ::close(descriptor);
    return std::unexpected(app::Problem{app::ExitCode::Local,
                                        fmt::format("The event log {} cannot be written", path),
                                        why, "", "name a file in a folder that you may write to"});
}

std::expected<std::optional<EventLog>, app::Problem> open_log(const CommonOptions& options) {
    if (options.event_log.empty()) return std::nullopt;
    auto log = EventLog::open(options.event_log);
    if (!log) return std::unexpected(log.error());
    return std::optional{*std::move(log)};
}

void EventLog::write(std::string_view event, nlohmann::ordered_json fields) {
    nlohmann::ordered_json line{{"time", timestamp(std::chrono::system_clock::now())},
                                {"event", event}};
    line.update(fields);
    // What a peer said may be no UTF-8.
    const std::string text =
        line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
    std::fwrite(text.data(), 1, text.size(), file_.get());
    std::fflush(file_.get());
}

}  // namespace stile::peer
