// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "file_server.hpp"

#include <stile/base/encoding.hpp>
#include <stile/base/text.hpp>
#include <stile/drivers/random.hpp>
#include <stile/http/date.hpp>
#include <stile/http/media_type.hpp>

#include <fmt/format.h>
#include <unistd.h>
#include <algorithm>

namespace stile::peer {
namespace {

constexpr std::string_view feed_name = "feed.xml";
constexpr std::size_t chunk_octets = 262'144;  // a read that keeps the queue of a fast path filled
constexpr std::size_t most_digests = 4096;     // of files that were asked for lately

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

bool same_content(const http::FileFacts& left, const http::FileFacts& right) {
    return left.size == right.size && left.modified_nanoseconds == right.modified_nanoseconds &&
           left.inode == right.inode;
}

http::ContentDigest digest_file(int descriptor, const std::atomic<bool>& stopping) {
    crypto::Hasher hasher{crypto::DigestAlgorithm::Sha256};
    Bytes buffer(chunk_octets);
    off_t offset = 0;
    while (!stopping) {
        const ssize_t count = ::pread(descriptor, buffer.data(), buffer.size(), offset);
        if (count <= 0) break;
        hasher.update(BytesView{buffer}.first(static_cast<std::size_t>(count)));
        offset += count;
    }
    const crypto::Digest digest = hasher.finish();
    return {.kind = http::DigestKind::Sha256, .digest = to_bytes(digest.bytes())};
}

}  // namespace

FileServer::FileServer(drivers::Loop& loop, SharedFolder folder, std::string title,
                       std::string address)
    : loop_(loop),
      folder_(std::move(folder)),
      title_(std::move(title)),
      address_(std::move(address)),
      random_(drivers::random_seed()),
      worker_(loop) {}

FileServer::~FileServer() { *stopping_ = true; }

void FileServer::handle_request(Link& link, quic::StreamId stream, const quic::RequestHead& head) {
    const http::Request request = to_http(head);
    auto path = http::clean_path(request.path);
    if (!path) {
        return serve_error(link, stream, http::Status::BadRequest,
                           std::string{http::to_string(path.error())});
    }
    auto found = folder_.find(path->segments);
    if (!found && !path->segments.empty() && path->segments.back() == feed_name) {
        http::CleanPath folder = *path;
        folder.segments.pop_back();
        const auto listing = folder_.find(folder.segments);
        if (listing && std::holds_alternative<SharedListing>(*listing)) {
            return serve_feed(link, stream, request, folder, std::get<SharedListing>(*listing));
        }
    }
    if (!found) {
        const bool forbidden = found.error() == LookupError::Forbidden;
        return serve_error(link, stream,
                           forbidden ? http::Status::Forbidden : http::Status::NotFound,
                           forbidden ? "The file is there, but may not be read." : "");
    }
    if (auto* const file = std::get_if<SharedFile>(&*found)) {
        return serve_file(link, stream, request, std::move(*file), path->to_string());
    }
    serve_listing(link, stream, request, *path, std::get<SharedListing>(*std::move(found)));
}

void FileServer::serve_file(Link& link, quic::StreamId stream, const http::Request& request,
                            SharedFile file, const std::string& path) {
    const WallTime now = loop_.wall_now();
    http::ResourceInfo resource;
    resource.size = file.facts.size;
    resource.media_type = std::string{http::media_type_of(file.name)};
    resource.validators = {.tag = http::entity_tag(file.facts, now), .modified = file.modified};
    resource.digest = known_digest(path, file.facts);
    const std::string boundary = to_hex(random_.array<16>());
    Transfer transfer{.file = std::make_shared<SharedFile>(std::move(file)),
                      .plan = http::decide({.now = now, .boundary = boundary}, request, resource)};
    const bool has_content = transfer.plan.has_content() && request.method != "HEAD";
    transfer.with_digest = has_content && !resource.digest;
    if (transfer.with_digest) {
        // Told at the end, when it is known: RFC 9530 Section 3 allows it as a trailer.
        transfer.plan.response.fields.set("trailer", "repr-digest");
    }
    const auto sent = link.connection()->respond(stream, to_quic(transfer.plan.response),
                                                 has_content ? quic::More::Yes : quic::More::No);
    if (sent != quic::SendResult::Taken || !has_content) return link.pump();
    const Key key{&link, stream};
    const auto with_digest = transfer.with_digest ? transfer.file : nullptr;
    transfers_.insert_or_assign(key, std::move(transfer));
    links_.insert_or_assign(key, &link);
    if (with_digest) digest_in_background(path, with_digest);
    push(link, stream);
}

void FileServer::serve_listing(Link& link, quic::StreamId stream, const http::Request& request,
                               const http::CleanPath& path, SharedListing listing) {
    if (path.trailing_slash == http::TrailingSlash::No && !path.segments.empty()) {
        // Relative links on the page need the slash. A relative target works behind any gateway.
        http::Response response{.status = http::Status::PermanentRedirect};
        response.fields.set("location", http::encode_segment(path.segments.back()) + '/');
        (void)link.connection()->respond(stream, to_quic(response), quic::More::No);
        return link.pump();
    }
    http::DirectoryPage page{.title = title_,
                             .segments = path.segments,
                             .entries = std::move(listing.entries),
                             .feed_url = std::string{feed_name}};
    // Relative, so that the page is right under any base.
    page.root_path = path.segments.empty() ? "./" : "";
    for (std::size_t i = 0; i < path.segments.size(); ++i) page.root_path += "../";
    http::Fields extra = http::page_fields();
    serve_text(link, stream, request, http::render_directory(page),
               std::string{extra.get("content-type").value_or("text/html; charset=utf-8")},
               std::move(extra));
}

void FileServer::serve_feed(Link& link, quic::StreamId stream, const http::Request& request,
                            const http::CleanPath& folder, const SharedListing& listing) {
    std::string url = base_url(request);
    for (const std::string& segment : folder.segments) url += http::encode_segment(segment) + '/';
    http::FolderFeed feed{
        .title = title_, .folder_url = url, .feed_url = url + std::string{feed_name}};
    for (const http::DirectoryEntry& entry : listing.entries) {
        if (entry.kind != http::EntryKind::File) continue;
        feed.files.push_back({entry.name, entry.size.value_or(0), entry.modified, {}});
    }
    serve_text(link, stream, request, http::write_rss(http::feed_of_folder(feed)),
               std::string{http::rss_media_type}, {});
}

void FileServer::serve_text(Link& link, quic::StreamId stream, const http::Request& request,
                            const std::string& text, std::string media_type, http::Fields extra) {
    const WallTime now = loop_.wall_now();
    http::ResourceInfo resource;
    resource.size = text.size();
    resource.media_type = std::move(media_type);
    resource.digest = http::sha256_digest(as_bytes(text));
    resource.validators.tag = http::entity_tag(resource.digest->digest);
    extra.remove("content-type");
    resource.extra = std::move(extra);
    const std::string boundary = to_hex(random_.array<16>());
    const http::Plan plan = http::decide({.now = now, .boundary = boundary}, request, resource);
    Bytes content;
    const auto append = [&content](BytesView part) {
        content.insert(content.end(), part.begin(), part.end());
    };
    if (request.method != "HEAD") {
        for (const http::Plan::Part& part : plan.parts) {
            append(as_bytes(part.head));
            append(as_bytes(text).subspan(part.range.first, part.range.size()));
        }
        append(as_bytes(plan.tail));
    }
    quic::Connection& connection = *link.connection();
    const quic::More more = content.empty() ? quic::More::No : quic::More::Yes;
    if (connection.respond(stream, to_quic(plan.response), more) == quic::SendResult::Taken &&
        more == quic::More::Yes) {
        (void)connection.push_body(stream, std::move(content));
        (void)connection.end_body(stream);
    }
    link.pump();
}

void FileServer::serve_error(Link& link, quic::StreamId stream, http::Status status,
                             std::string cause) {
    http::Response response{.status = status, .fields = http::page_fields()};
    const std::string page =
        http::render_error({.status = status, .cause = std::move(cause), .home_path = {}});
    response.fields.set("content-length", std::to_string(page.size()));
    quic::Connection& connection = *link.connection();
    if (connection.respond(stream, to_quic(response), quic::More::Yes) == quic::SendResult::Taken) {
        (void)connection.push_body(stream, to_bytes(page));
        (void)connection.end_body(stream);
    }
    link.pump();
}

// ---- content of files --------------------------------------------------------------------------

void FileServer::handle_writable(Link& link, quic::StreamId stream) { push(link, stream); }

void FileServer::push(Link& link, quic::StreamId stream) {
    const auto found = transfers_.find({&link, stream});
    if (found == transfers_.end() || found->second.content_sent) return;
    while (push_some(link, stream, found->second)) {
    }
    if (found->second.content_sent) finish(link, stream, found->second);
    link.pump();
}

bool FileServer::push_some(Link& link, quic::StreamId stream, Transfer& transfer) {
    quic::Connection& connection = *link.connection();
    if (transfer.part == transfer.plan.parts.size()) {
        if (!transfer.plan.tail.empty()) {
            if (connection.push_body(stream, to_bytes(transfer.plan.tail)) ==
                quic::SendResult::Full) {
                return false;
            }
        }
        transfer.content_sent = true;
        return false;
    }
    const http::Plan::Part& part = transfer.plan.parts[transfer.part];
    if (!transfer.head_sent && !part.head.empty()) {
        if (connection.push_body(stream, to_bytes(part.head)) != quic::SendResult::Taken)
            return false;
    }
    transfer.head_sent = true;
    const std::uint64_t left = part.range.size() - transfer.offset;
    if (left == 0) {
        ++transfer.part;
        transfer.offset = 0;
        transfer.head_sent = false;
        return true;
    }
    Bytes chunk(static_cast<std::size_t>(std::min<std::uint64_t>(left, chunk_octets)));
    const ssize_t count = ::pread(transfer.file->descriptor.get(), chunk.data(), chunk.size(),
                                  static_cast<off_t>(part.range.first + transfer.offset));
    if (count <= 0) {
        // The file shrank or its disk failed: what was promised cannot be kept.
        connection.reset_stream(stream, quic::internal_error);
        return false;
    }
    chunk.resize(static_cast<std::size_t>(count));
    if (connection.push_body(stream, std::move(chunk)) != quic::SendResult::Taken) return false;
    transfer.offset += static_cast<std::uint64_t>(count);
    return true;
}

// With a trailer the message ends when the digest is known.
void FileServer::finish(Link& link, quic::StreamId stream, const Transfer& transfer) {
    if (transfer.with_digest) {
        const auto known = std::ranges::find_if(digests_, [&](const auto& entry) {
            return same_content(entry.second.facts, transfer.file->facts);
        });
        if (known == digests_.end()) return;
        (void)link.connection()->end_body(
            stream, {{"repr-digest", http::format_digests({known->second.digest})}});
    } else {
        (void)link.connection()->end_body(stream);
    }
    const Key key{&link, stream};
    links_.erase(key);
    transfers_.erase(key);
}

void FileServer::handle_stream_closed(Link& link, quic::StreamId stream) {
    transfers_.erase({&link, stream});
    links_.erase({&link, stream});
}

void FileServer::handle_link_closed(const Link& link) {
    std::erase_if(transfers_, [&](const auto& entry) { return entry.first.link == &link; });
    std::erase_if(links_, [&](const auto& entry) { return entry.first.link == &link; });
}

std::optional<http::ContentDigest> FileServer::known_digest(const std::string& path,
                                                            const http::FileFacts& facts) const {
    const auto found = digests_.find(path);
    if (found == digests_.end() || !same_content(found->second.facts, facts)) return std::nullopt;
    return found->second.digest;
}

void FileServer::digest_in_background(const std::string& path,
                                      const std::shared_ptr<SharedFile>& file) {
    const auto submitted = worker_.compute(
        [file, stopping = stopping_] { return digest_file(file->descriptor.get(), *stopping); },
        [this, path, facts = file->facts](http::ContentDigest digest) {
            if (digests_.size() == most_digests) digests_.erase(digests_.begin());
            digests_.insert_or_assign(path, Digested{facts, std::move(digest)});
            // Transfers that have sent everything wait for this.
            std::vector<std::pair<Link*, quic::StreamId>> ready;
            for (const auto& [key, transfer] : transfers_) {
                if (transfer.content_sent && same_content(transfer.file->facts, facts)) {
                    ready.emplace_back(links_.at(key), key.stream);
                }
            }
            for (const auto& [link, stream] : ready) {
                // Ending one may have ended another.
                const auto found = transfers_.find({link, stream});
                if (found == transfers_.end()) continue;
                finish(*link, stream, found->second);
                link->pump();
            }
        });
    if (submitted == drivers::Submitted::Full) {
        for (auto& [key, transfer] : transfers_) {
            if (transfer.file == file) transfer.with_digest = false;
        }
    }
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
