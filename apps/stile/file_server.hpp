// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "link.hpp"
#include "shared_folder.hpp"

#include <stile/crypto/random_stream.hpp>
#include <stile/drivers/worker.hpp>

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace stile::peer {

// Answers the requests of peers with files, folder pages and feeds of one shared folder.
//
//   /any/file              with ranges, validators and, at its end, Repr-Digest (RFC 9530)
//   /any/folder/           a page
//   /any/folder/feed.xml   RSS 2.0 of the folder, unless there is such a file
class FileServer {
public:
    FileServer(drivers::Loop& loop, SharedFolder folder, std::string title, std::string address);
    FileServer(const FileServer&) = delete;
    FileServer& operator=(const FileServer&) = delete;
    ~FileServer();

    void handle_request(Link& link, quic::StreamId stream, const quic::RequestHead& head);
    void handle_writable(Link& link, quic::StreamId stream);
    void handle_stream_closed(Link& link, quic::StreamId stream);
    void handle_link_closed(const Link& link);

private:
    // A response whose content is being read from a file.
    struct Transfer {
        std::shared_ptr<SharedFile> file;
        http::Plan plan;
        std::size_t part = 0;      // index in plan.parts
        std::uint64_t offset = 0;  // within the part
        bool head_sent = false;    // of the part
        bool content_sent = false;
        bool with_digest = false;  // a trailer follows when the digest is known
    };
    struct Key {
        const Link* link;
        quic::StreamId stream;
        friend auto operator<=>(const Key&, const Key&) = default;
    };
    // A file whose content was digested, as it was then.
    struct Digested {
        http::FileFacts facts;
        http::ContentDigest digest;
    };

    void serve_file(Link& link, quic::StreamId stream, const http::Request& request,
                    SharedFile file, const std::string& path);
    void serve_listing(Link& link, quic::StreamId stream, const http::Request& request,
                       const http::CleanPath& path, SharedListing listing);
    void serve_feed(Link& link, quic::StreamId stream, const http::Request& request,
                    const http::CleanPath& folder, const SharedListing& listing);
    void serve_text(Link& link, quic::StreamId stream, const http::Request& request,
                    const std::string& text, std::string media_type, http::Fields extra);
    void serve_error(Link& link, quic::StreamId stream, http::Status status, std::string cause);
    // False when everything that the stream takes now has been pushed.
    bool push_some(Link& link, quic::StreamId stream, Transfer& transfer);
    void push(Link& link, quic::StreamId stream);
    void finish(Link& link, quic::StreamId stream, const Transfer& transfer);

    std::optional<http::ContentDigest> known_digest(const std::string& path,
                                                    const http::FileFacts& facts) const;
    void digest_in_background(const std::string& path, const std::shared_ptr<SharedFile>& file);
    // Where the requester reaches this share: RFC 7239, docs/protocols/http.md.
    std::string base_url(const http::Request& request) const;

    drivers::Loop& loop_;
    SharedFolder folder_;
    std::string title_;
    std::string address_;
    crypto::RandomStream random_;
    std::map<Key, Transfer> transfers_;
    std::map<Key, Link*> links_;
    std::map<std::string, Digested> digests_;
    // Large files take long to digest; the worker must not keep the program from ending.
    std::shared_ptr<std::atomic<bool>> stopping_ = std::make_shared<std::atomic<bool>>(false);
    drivers::Worker worker_;
};

}  // namespace stile::peer
