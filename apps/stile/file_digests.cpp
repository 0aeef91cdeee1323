// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "file_digests.hpp"

#include <unistd.h>
#include <algorithm>

namespace stile::peer {
namespace {

constexpr std::size_t read_octets = 262'144;

// Of exactly the octets that the facts count, and only if the file is the same afterwards.
std::optional<http::ContentDigest> digest_of(const SharedFile& file,
                                             const std::atomic<bool>& unwanted) {
    crypto::Hasher hasher{crypto::DigestAlgorithm::Sha256};
    Bytes buffer(read_octets);
    std::uint64_t offset = 0;
    while (offset < file.facts.size) {
        if (unwanted) return std::nullopt;
        const std::uint64_t wanted =
            std::min<std::uint64_t>(buffer.size(), file.facts.size - offset);
        const ssize_t count = ::pread(file.descriptor.get(), buffer.data(),
                                      static_cast<std::size_t>(wanted), static_cast<off_t>(offset));
        if (count <= 0) return std::nullopt;
        hasher.update(BytesView{buffer}.first(static_cast<std::size_t>(count)));
        offset += static_cast<std::uint64_t>(count);
    }
    if (!file.is_unchanged()) return std::nullopt;
    return finish_digest(hasher);
}

}  // namespace

http::ContentDigest finish_digest(crypto::Hasher& hasher) {
    const crypto::Digest digest = hasher.finish();
    return {.kind = http::DigestKind::Sha256, .digest = to_bytes(digest.bytes())};
}

FileDigests::~FileDigests() {
    for (const auto& weak : jobs_) {
        if (const auto job = weak.lock()) *job->unwanted_ = true;
    }
}

std::optional<http::ContentDigest> FileDigests::find(const std::string& path,
                                                     const http::FileFacts& facts) const {
    const auto found = std::ranges::find(known_, path, &Known::path);
    if (found == known_.end() || !same_content(found->facts, facts)) return std::nullopt;
    return found->digest;
}

void FileDigests::remember(const std::string& path, const http::FileFacts& facts,
                           http::ContentDigest digest) {
    std::erase_if(known_, [&](const Known& known) { return known.path == path; });
    if (known_.size() == most_known) known_.pop_front();
    known_.push_back({path, facts, std::move(digest)});
}

std::shared_ptr<const FileDigests::Job> FileDigests::compute(
    const std::string& path, const std::shared_ptr<const SharedFile>& file) {
    std::erase_if(jobs_, [](const auto& weak) { return weak.expired(); });
    for (const auto& weak : jobs_) {
        const auto job = weak.lock();
        if (job->path_ == path && same_content(job->facts_, file->facts)) return job;
    }
    if (under_way_ == most_jobs) return nullptr;
    const auto job = std::make_shared<Job>(path, file->facts);
    const auto submitted = worker_.compute(
        [file, unwanted = job->unwanted_] { return digest_of(*file, *unwanted); },
        [this, weak = std::weak_ptr{job}](std::optional<http::ContentDigest> digest) {
            finish(weak, std::move(digest));
        });
    if (submitted == drivers::Submitted::Full) return nullptr;
    ++under_way_;
    jobs_.push_back(job);
    return job;
}

void FileDigests::finish(const std::weak_ptr<Job>& weak,
                         std::optional<http::ContentDigest> digest) {
    --under_way_;
    const auto job = weak.lock();
    if (!job) return;
    if (digest) remember(job->path_, job->facts_, *digest);
    job->digest_ = std::move(digest);
    job->done_ = true;
    on_done_(*job);
}

}  // namespace stile::peer
