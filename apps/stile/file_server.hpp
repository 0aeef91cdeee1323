// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "file_digests.hpp"
#include "link.hpp"
#include "shared_folder.hpp"

#include <stile/crypto/digest.hpp>
#include <stile/crypto/random_stream.hpp>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace stile::peer {

// Answers the requests of peers with files, folder pages and feeds of one shared folder.
//
//   /any/file              with ranges, validators and, if need be at its end, Repr-Digest
//                          (RFC 9530; docs/protocols/http.md)
//   /any/folder/           a page
//   /any/folder/feed.xml   RSS 2.0 of the folder, unless there is such a file
//
// A page of a folder with more than most_entries has the first ones by name and says so in its
// title; its feed has the newest files.
class FileServer {
public:
    // Pages and feeds that are being sent, together. One more is refused (503) unless it is the
    // same as one of them.
    static constexpr std::size_t most_text_octets = 67'108'864;
    // How long a message whose content is all sent waits for its digest.
    static constexpr Duration digest_patience = std::chrono::seconds{2};

    FileServer(drivers::Loop& loop, SharedFolder folder, std::string title, std::string address);
    FileServer(const FileServer&) = delete;
    FileServer& operator=(const FileServer&) = delete;
    ~FileServer() = default;

    void handle_request(Link& link, quic::StreamId stream, const quic::RequestHead& head);
    void handle_writable(Link& link, quic::StreamId stream);
    void handle_stream_closed(Link& link, quic::StreamId stream);
    void handle_link_closed(const Link& link);

private:
    // A response whose content is being sent, from one of two sources.
    struct Transfer {
        std::shared_ptr<const SharedFile> file;
        std::shared_ptr<const std::string> text;
        std::string path;  // of the file
        http::Plan plan;
        std::size_t part = 0;      // index in plan.parts
        std::uint64_t offset = 0;  // within the part
        bool head_sent = false;    // of the part
        // Where the digest of the trailer comes from, if there is one: what is sent, when that is
        // the whole file, or a job beside it.
        std::optional<crypto::Hasher> hasher;
        std::shared_ptr<const FileDigests::Job> job;
        bool settled = false;           // the facts were, when the transfer began
        std::optional<Instant> end_by;  // all content is sent: the end comes then at the latest
    };
    struct Key {
        const Link* link;
        quic::StreamId stream;
        friend auto operator<=>(const Key&, const Key&) = default;
    };
    enum class Step : std::uint8_t {
        More,
        Wait,  // for BodyWritable
        Done,
        Gone,
    };

    void serve_file(Link& link, quic::StreamId stream, const http::Request& request,
                    SharedFile file, const std::string& path);
    void serve_listing(Link& link, quic::StreamId stream, const http::Request& request,
                       const http::CleanPath& path, SharedSubfolder folder);
    void serve_feed(Link& link, quic::StreamId stream, const http::Request& request,
                    const http::CleanPath& path, SharedSubfolder folder);
    void serve_text(Link& link, quic::StreamId stream, const http::Request& request,
                    std::string text, std::string media_type, http::Fields extra);
    void serve_error(Link& link, quic::StreamId stream, const http::Request& request,
                     http::Status status, std::string cause);

    // The transfer's plan is its response.
    void begin(Link& link, quic::StreamId stream, const http::Request& request, Transfer transfer);
    void push(Link& link, quic::StreamId stream);
    Step push_some(Link& link, quic::StreamId stream, Transfer& transfer);
    // The octets that come next in the part, at least one; empty when they cannot be read.
    Bytes read(Transfer& transfer, const http::Plan::Part& part);
    void finish(Link& link, quic::StreamId stream, Transfer& transfer);
    // Ends the transfers whose content is sent and that `ready` says true of.
    void finish_waiting(std::move_only_function<bool(const Transfer&)> ready);
    std::optional<http::ContentDigest> final_digest(Transfer& transfer);
    void plan_digest(Transfer& transfer);
    void arm_end();
    std::shared_ptr<const std::string> keep_text(std::string text);
    // Where the requester reaches this share: RFC 7239, docs/protocols/http.md.
    std::string base_url(const http::Request& request) const;

    drivers::Loop& loop_;
    SharedFolder folder_;
    std::string title_;
    std::string address_;
    crypto::RandomStream random_;
    FileDigests digests_;
    std::map<Key, Transfer> transfers_;
    std::map<Key, Link*> links_;
    std::vector<std::weak_ptr<const std::string>> texts_;
    drivers::Timer end_timer_;
};

}  // namespace stile::peer
