// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "file_server.hpp"

#include <stile/base/encoding.hpp>
#include <stile/base/machine.hpp>
#include <stile/base/text.hpp>
#include <stile/drivers/random.hpp>
#include <stile/http/limits.hpp>
#include <stile/http/media_type.hpp>
#include <stile/http/method.hpp>

#include <fmt/format.h>
#include <unistd.h>
#include <algorithm>

namespace stile::peer {
namespace {

constexpr std::string_view feed_name = "feed.xml";
constexpr std::size_t chunk_octets = 262'144;  // a read that keeps the queue of a fast path filled

http::Request to_http(const quic::RequestHead& head) {
    http::Request request{.method = head.method,
                          .scheme = head.scheme,
                          .authority = head.authority,
                          .path = head.path,
                          .protocol = head.protocol};
    for (const quic::Field& field : head.fields)
        (void)request.fields.receive(field.name, field.value);
    return request;
}

quic::ResponseHead to_quic(const http::Response& response) {
    quic::ResponseHead head{.status = static_cast<std::uint16_t>(response.status)};
    for (const http::Field& field : response.fields)
        head.fields.push_back({field.name, field.value});
    return head;
}

// Whatever part of the whole a plan sends: the one part that it has, or none.
std::optional<http::ByteRange> only_range(const http::Plan& plan) {
    if (plan.parts.size() != 1) return std::nullopt;
    return plan.parts.front().range;
}

}  // namespace

FileServer::FileServer(drivers::Loop& loop, SharedFolder folder, std::string title,
                       std::string address)
    : loop_(loop),
      folder_(std::move(folder)),
      title_(std::move(title)),
      address_(std::move(address)),
      random_(drivers::random_seed()),
      digests_(
          loop,
          [this](const FileDigests::Job& job) {
              finish_waiting([&](const Transfer& transfer) { return transfer.job.get() == &job; });
          }),
      end_timer_(loop, [this] {
          finish_waiting(
              [this](const Transfer& transfer) { return *transfer.end_by <= loop_.now(); });
          arm_end();
      }) {}

void FileServer::handle_request(Link& link, quic::StreamId stream, const quic::RequestHead& head) {
    const http::Request request = to_http(head);
    auto path = http::clean_path(request.path);
    if (!path) {
        return serve_error(link, stream, request, http::Status::BadRequest,
                           std::string{http::to_string(path.error())});
    }
    auto found = folder_.find(path->segments);
    if (!found && !path->segments.empty() && path->segments.back() == feed_name) {
        http::CleanPath folder = *path;
        folder.segments.pop_back();
        auto above = folder_.find(folder.segments);
        if (above && std::holds_alternative<SharedSubfolder>(*above)) {
            return serve_feed(link, stream, request, folder,
                              std::get<SharedSubfolder>(*std::move(above)));
        }
    }
    if (!found) {
        const bool forbidden = found.error() == LookupError::Forbidden;
        return serve_error(link, stream, request,
                           forbidden ? http::Status::Forbidden : http::Status::NotFound,
                           forbidden ? "The file is there, but may not be read." : "");
    }
    if (auto* const file = std::get_if<SharedFile>(&*found)) {
        return serve_file(link, stream, request, std::move(*file), path->to_string());
    }
    serve_listing(link, stream, request, *path, std::get<SharedSubfolder>(*std::move(found)));
}

void FileServer::serve_file(Link& link, quic::StreamId stream, const http::Request& request,
                            SharedFile file, const std::string& path) {
    const WallTime now = loop_.wall_now();
    http::ResourceInfo resource;
    resource.size = file.facts.size;
    resource.media_type = std::string{http::media_type_of(file.name)};
    resource.validators = {.tag = http::entity_tag(file.facts, now), .modified = file.modified};
    resource.digest = file.facts.size == 0 ? std::optional{http::sha256_digest({})}
                                           : digests_.find(path, file.facts);
    const std::string boundary = to_hex(random_.array<16>());
    Transfer transfer;
    transfer.file = std::make_shared<const SharedFile>(std::move(file));
    transfer.path = path;
    transfer.plan = http::decide({.now = now, .boundary = boundary}, request, resource);
    transfer.settled = resource.validators.tag->strength == http::Strength::Strong;
    if (!resource.digest) plan_digest(transfer);
    begin(link, stream, request, std::move(transfer));
}

// A whole file is digested as it is sent. To who asks for its end, to go on with a download, the
// digest of all of it is told too, if it is ready in time. RFC 9530 Section 3 allows it as a
// trailer.
void FileServer::plan_digest(Transfer& transfer) {
    const auto range = only_range(transfer.plan);
    if (!range || range->last + 1 != transfer.file->facts.size) return;
    if (range->first == 0) {
        transfer.hasher.emplace(crypto::DigestAlgorithm::Sha256);
    } else if (transfer.settled) {
        transfer.job = digests_.compute(transfer.path, transfer.file);
    }
    if (transfer.hasher || transfer.job)
        transfer.plan.response.fields.set("trailer", "repr-digest");
}

void FileServer::serve_listing(Link& link, quic::StreamId stream, const http::Request& request,
                               const http::CleanPath& path, SharedSubfolder folder) {
    if (path.trailing_slash == http::TrailingSlash::No && !path.segments.empty()) {
        // Relative links on the page need the slash. A relative target works behind any gateway.
        Transfer redirect;
        redirect.plan.response.status = http::Status::PermanentRedirect;
        redirect.plan.response.fields.set("location",
                                          http::encode_segment(path.segments.back()) + '/');
        return begin(link, stream, request, std::move(redirect));
    }
    SharedListing listing = folder_.list(std::move(folder), Selection::FirstByName);
    http::DirectoryPage page{.title = title_,
                             .segments = path.segments,
                             .entries = std::move(listing.entries),
                             .feed_url = std::string{feed_name}};
    if (listing.extent == Extent::Selected) {
        page.title += fmt::format(" (the first {} names of this folder)", most_entries);
    }
    // Relative, so that the page is right under any base.
    page.root_path = path.segments.empty() ? "./" : "";
    for (std::size_t i = 0; i < path.segments.size(); ++i) page.root_path += "../";
    http::Fields extra = http::page_fields();
    serve_text(link, stream, request, http::render_directory(page),
               std::string{extra.get("content-type").value_or("text/html; charset=utf-8")},
               std::move(extra));
}

void FileServer::serve_feed(Link& link, quic::StreamId stream, const http::Request& request,
                            const http::CleanPath& path, SharedSubfolder folder) {
    std::string url = base_url(request);
    for (const std::string& segment : path.segments) url += http::encode_segment(segment) + '/';
    http::FolderFeed files{
        .title = title_, .folder_url = url, .feed_url = url + std::string{feed_name}};
    for (http::DirectoryEntry& entry :
         folder_.list(std::move(folder), Selection::NewestFiles).entries) {
        files.files.push_back({std::move(entry.name), entry.size.value_or(0), entry.modified, {}});
    }
    http::Feed feed = http::feed_of_folder(files);
    std::string text = http::write_rss(feed);
    // Long names: what a reader of ours would refuse is of no use.
    while (text.size() > http::limits::feed_octets) {
        feed.items.resize(feed.items.size() / 2);
        text = http::write_rss(feed);
    }
    serve_text(link, stream, request, std::move(text), std::string{http::rss_media_type}, {});
}

void FileServer::serve_text(Link& link, quic::StreamId stream, const http::Request& request,
                            std::string text, std::string media_type, http::Fields extra) {
    const WallTime now = loop_.wall_now();
    http::ResourceInfo resource;
    resource.size = text.size();
    resource.media_type = std::move(media_type);
    resource.digest = http::sha256_digest(as_bytes(text));
    resource.validators.tag = http::entity_tag(resource.digest->digest);
    extra.remove("content-type");
    resource.extra = std::move(extra);
    const std::string boundary = to_hex(random_.array<16>());
    Transfer transfer;
    transfer.plan = http::decide({.now = now, .boundary = boundary}, request, resource);
    if (transfer.plan.has_content()) {
        transfer.text = keep_text(std::move(text));
        if (!transfer.text) {
            return serve_error(link, stream, request, http::Status::ServiceUnavailable,
                               "Too many large pages are being sent at this moment.");
        }
    }
    begin(link, stream, request, std::move(transfer));
}

void FileServer::serve_error(Link& link, quic::StreamId stream, const http::Request& request,
                             http::Status status, std::string cause) {
    const std::string page =
        http::render_error({.status = status, .cause = std::move(cause), .home_path = {}});
    Transfer transfer;
    transfer.plan.response = {.status = status, .fields = http::page_fields()};
    transfer.plan.response.fields.set("content-length", std::to_string(page.size()));
    transfer.plan.parts.push_back({.head = {}, .range = {.first = 0, .last = page.size() - 1}});
    transfer.text = std::make_shared<const std::string>(page);
    begin(link, stream, request, std::move(transfer));
}

std::shared_ptr<const std::string> FileServer::keep_text(std::string text) {
    std::erase_if(texts_, [](const auto& weak) { return weak.expired(); });
    std::size_t kept = 0;
    for (const auto& weak : texts_) {
        const auto other = weak.lock();
        if (*other == text) return other;
        kept += other->size();
    }
    // One alone is bounded by most_entries, and has to be had.
    if (kept > 0 && kept + text.size() > most_text_octets) return nullptr;
    auto added = std::make_shared<const std::string>(std::move(text));
    texts_.push_back(added);
    return added;
}

// ---- sending -----------------------------------------------------------------------------------

void FileServer::begin(Link& link, quic::StreamId stream, const http::Request& request,
                       Transfer transfer) {
    const bool has_content = transfer.plan.has_content() && request.method != http::method::head;
    quic::Connection& connection = *link.connection();
    switch (connection.respond(stream, to_quic(transfer.plan.response),
                               has_content ? quic::More::Yes : quic::More::No)) {
        case quic::SendResult::Taken:
            break;
        case quic::SendResult::Invalid:
            connection.reset_stream(stream, quic::internal_error);
            return link.pump();
        case quic::SendResult::Full:
        case quic::SendResult::Gone:
            return link.pump();
    }
    if (!has_content) return link.pump();
    const Key key{&link, stream};
    transfers_.insert_or_assign(key, std::move(transfer));
    links_.insert_or_assign(key, &link);
    push(link, stream);
}

void FileServer::handle_writable(Link& link, quic::StreamId stream) { push(link, stream); }

void FileServer::push(Link& link, quic::StreamId stream) {
    const auto found = transfers_.find({&link, stream});
    if (found == transfers_.end() || found->second.end_by) return;
    Transfer& transfer = found->second;
    Step step = Step::More;
    while (step == Step::More) step = push_some(link, stream, transfer);
    if (step == Step::Gone) {
        handle_stream_closed(link, stream);
    } else if (step == Step::Done) {
        if (transfer.job && !transfer.job->done()) {
            transfer.end_by = loop_.now() + digest_patience;
            arm_end();
        } else {
            finish(link, stream, transfer);
        }
    }
    link.pump();
}

FileServer::Step FileServer::push_some(Link& link, quic::StreamId stream, Transfer& transfer) {
    quic::Connection& connection = *link.connection();
    // An empty chunk asks for room: what is read, and digested, is taken then.
    switch (connection.push_body(stream, {})) {
        case quic::SendResult::Taken:
            break;
        case quic::SendResult::Full:
            return Step::Wait;
        case quic::SendResult::Gone:
        case quic::SendResult::Invalid:
            return Step::Gone;
    }
    Bytes chunk;
    bool last = false;
    if (transfer.part == transfer.plan.parts.size()) {
        chunk = to_bytes(transfer.plan.tail);
        last = true;
    } else {
        const http::Plan::Part& part = transfer.plan.parts[transfer.part];
        if (!std::exchange(transfer.head_sent, true)) chunk = to_bytes(part.head);
        if (chunk.empty()) {
            chunk = read(transfer, part);
            if (chunk.empty()) {
                // The file shrank or its disk failed: what was promised cannot be kept.
                connection.reset_stream(stream, quic::internal_error);
                return Step::Gone;
            }
            transfer.offset += chunk.size();
        }
        if (transfer.offset == part.range.size()) {
            ++transfer.part;
            transfer.offset = 0;
            transfer.head_sent = false;
        }
    }
    if (connection.push_body(stream, std::move(chunk)) != quic::SendResult::Taken)
        return Step::Gone;
    return last ? Step::Done : Step::More;
}

Bytes FileServer::read(Transfer& transfer, const http::Plan::Part& part) {
    const std::uint64_t first = part.range.first + transfer.offset;
    const auto octets = static_cast<std::size_t>(
        std::min<std::uint64_t>(part.range.size() - transfer.offset, chunk_octets));
    if (transfer.text) {
        return to_bytes(as_bytes(*transfer.text).subspan(static_cast<std::size_t>(first), octets));
    }
    Bytes chunk(octets);
    const ssize_t count = ::pread(transfer.file->descriptor.get(), chunk.data(), chunk.size(),
                                  static_cast<off_t>(first));
    chunk.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    if (transfer.hasher) transfer.hasher->update(chunk);
    return chunk;
}

void FileServer::finish(Link& link, quic::StreamId stream, Transfer& transfer) {
    std::vector<quic::Field> trailers;
    if (const auto digest = final_digest(transfer)) {
        trailers.push_back({"repr-digest", http::format_digests({*digest})});
    }
    (void)link.connection()->end_body(stream, trailers);
    handle_stream_closed(link, stream);
}

std::optional<http::ContentDigest> FileServer::final_digest(Transfer& transfer) {
    if (transfer.job) return transfer.job->digest();
    if (!transfer.hasher) return std::nullopt;
    http::ContentDigest digest = finish_digest(*transfer.hasher);
    if (transfer.settled && transfer.file->is_unchanged()) {
        digests_.remember(transfer.path, transfer.file->facts, digest);
    }
    return digest;
}

void FileServer::finish_waiting(std::move_only_function<bool(const Transfer&)> ready) {
    std::vector<std::pair<Link*, quic::StreamId>> ended;
    for (const auto& [key, transfer] : transfers_) {
        if (transfer.end_by && ready(transfer)) ended.emplace_back(links_.at(key), key.stream);
    }
    for (const auto& [link, stream] : ended) {
        // Ending one may have ended another.
        const auto found = transfers_.find({link, stream});
        if (found == transfers_.end()) continue;
        finish(*link, stream, found->second);
        link->pump();
    }
}

void FileServer::arm_end() {
    std::optional<Instant> next;
    for (const auto& [key, transfer] : transfers_) next = earlier(next, transfer.end_by);
    end_timer_.arm(next);
}

void FileServer::handle_stream_closed(Link& link, quic::StreamId stream) {
    transfers_.erase({&link, stream});
    links_.erase({&link, stream});
}

void FileServer::handle_link_closed(const Link& link) {
    std::erase_if(transfers_, [&](const auto& entry) { return entry.first.link == &link; });
    std::erase_if(links_, [&](const auto& entry) { return entry.first.link == &link; });
}

std::string FileServer::base_url(const http::Request& request) const {
    std::string host;
    std::string scheme = "https";
    if (const auto forwarded = request.fields.get("forwarded")) {
        // The first element is the nearest to the reader. RFC 7239 Section 4.
        std::string_view elements = *forwarded;
        std::string_view pairs = take_until(elements, ',');
        while (!pairs.empty()) {
            std::string_view pair = trim(take_until(pairs, ';'));
            const std::string name = to_lower(take_until(pair, '='));
            if (pair.starts_with('"') && pair.ends_with('"') && pair.size() >= 2) {
                pair = pair.substr(1, pair.size() - 2);
            }
            if (name == "host") host = pair;
            if (name == "proto") scheme = pair;
        }
    }
    if (host.empty()) return fmt::format("{}://{}/", request.scheme, request.authority);
    std::string name = address_;
    std::ranges::replace(name, '@', '.');
    // A gateway gives each peer an origin of its own, named after it; under any other host the peer
    // is the first segment of the path.
    if (to_lower(host).starts_with(to_lower(name) + '.'))
        return fmt::format("{}://{}/", scheme, host);
    return fmt::format("{}://{}/{}/", scheme, host, address_);
}

}  // namespace stile::peer
