// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "link.hpp"

#include <stile/app/problem.hpp>
#include <stile/crypto/digest.hpp>
#include <stile/drivers/file_descriptor.hpp>
#include <stile/http/fields.hpp>

#include <cstdint>
#include <expected>
#include <optional>
#include <string>

namespace stile::peer {

// One object on its way into a file. What has come lies in NAME.part until it is complete and its
// digest is right; NAME.part.tag keeps the validator by which a later try can go on where this one
// ended. Existing files are replaced only at the very end, if at all.
class Download {
public:
    // "-" writes to standard output: no part, no resuming, and no waiting for who reads it.
    enum class Existing : std::uint8_t { Refuse, Replace };
    static std::expected<Download, app::Problem> open(const std::string& output, Existing existing);

    // Range and If-Range where an earlier try left something.
    std::vector<quic::Field> request_fields() const;
    std::uint64_t resumed_octets() const { return resumed_; }
    std::uint64_t octets() const { return octets_; }
    std::optional<std::uint64_t> total() const { return total_; }

    // The connection is gone: the next request is for what has not come. No: what was written to
    // standard output cannot be taken back, and the peer has not said how to go on.
    enum class Resumption : std::uint8_t { No, Yes };
    Resumption resume();

    std::expected<void, app::Problem> handle_head(const quic::ResponseHead& head);
    // How many octets were taken: fewer than there are where standard output has no more room. The
    // rest is to be offered again when output() is writable.
    std::expected<std::size_t, app::Problem> handle_body(BytesView bytes);
    int output() const { return file_.get(); }
    void handle_trailers(const std::vector<quic::Field>& fields);
    // Checks length and digest and gives the file its name.
    enum class Verified : std::uint8_t { NoDigest, Sha256 };
    std::expected<Verified, app::Problem> finish();
    crypto::Digest sha256() const { return digest_; }

private:
    Download() = default;
    std::expected<void, app::Problem> restart();
    void read_digest(const std::vector<quic::Field>& fields);
    // Whether two halves may be joined by the validator. RFC 9110 Section 13.1.5: no weak one.
    bool has_strong_tag() const { return !tag_.empty() && !tag_.starts_with("W/"); }
    std::string part() const { return output_ + ".part"; }
    std::string tag_file() const { return output_ + ".part.tag"; }

    std::string output_;
    enum class Sink : std::uint8_t { File, Output };
    Sink sink_ = Sink::File;
    Existing existing_ = Existing::Refuse;
    bool ignores_body_ = false;  // of an answer that says that nothing is missing
    drivers::FileDescriptor file_;
    std::string tag_;
    std::uint64_t resumed_ = 0;
    std::uint64_t octets_ = 0;
    std::optional<std::uint64_t> total_;
    crypto::Hasher hasher_{crypto::DigestAlgorithm::Sha256};
    crypto::Digest digest_;
    http::Fields digest_fields_;
};

}  // namespace stile::peer
