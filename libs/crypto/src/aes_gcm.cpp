// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/crypto/aes_gcm.hpp>

#include <stile/base/assert.hpp>

#include "openssl_handles.hpp"

namespace stile::crypto {
namespace {

using Context = Handle<EVP_CIPHER_CTX, &EVP_CIPHER_CTX_free>;

// An empty view has no address, and OpenSSL takes none for another request.
const unsigned char* octets(BytesView view) {
    static constexpr std::byte nothing{};
    return openssl_data(view.empty() ? &nothing : view.data());
}
unsigned char* octets(std::byte* data) { return openssl_data(data); }

}  // namespace

struct AesGcm::State {
    Context sealing;
    Context opening;
};

AesGcm::AesGcm(BytesView key) : state_(std::make_unique<State>()) {
    STILE_ASSERT(is_key_size(key.size()));
    const EVP_CIPHER* cipher = key.size() == 16 ? EVP_aes_128_gcm() : EVP_aes_256_gcm();
    state_->sealing.reset(EVP_CIPHER_CTX_new());
    state_->opening.reset(EVP_CIPHER_CTX_new());
    STILE_ASSERT(state_->sealing && state_->opening);
    const bool ready =
        EVP_EncryptInit_ex(state_->sealing.get(), cipher, nullptr, octets(key), nullptr) == 1 &&
        EVP_DecryptInit_ex(state_->opening.get(), cipher, nullptr, octets(key), nullptr) == 1;
    STILE_ASSERT(ready);
}

AesGcm::AesGcm(AesGcm&&) noexcept = default;
AesGcm& AesGcm::operator=(AesGcm&&) noexcept = default;
AesGcm::~AesGcm() = default;

Bytes AesGcm::seal(const Nonce& nonce, BytesView associated, BytesView plain) const {
    EVP_CIPHER_CTX* context = state_->sealing.get();
    Bytes sealed(plain.size() + tag_octets);
    int written = 0;
    bool done = EVP_EncryptInit_ex(context, nullptr, nullptr, nullptr, octets(nonce)) == 1;
    done = done && EVP_EncryptUpdate(context, nullptr, &written, octets(associated),
                                     static_cast<int>(associated.size())) == 1;
    done = done && EVP_EncryptUpdate(context, octets(sealed.data()), &written, octets(plain),
                                     static_cast<int>(plain.size())) == 1;
    done = done && EVP_EncryptFinal_ex(context, octets(sealed.data()) + written, &written) == 1;
    done = done && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, tag_octets,
                                       sealed.data() + plain.size()) == 1;
    STILE_ASSERT(done);
    return sealed;
}

std::optional<Bytes> AesGcm::open(const Nonce& nonce, BytesView associated,
                                  BytesView sealed) const {
    if (sealed.size() < tag_octets) return std::nullopt;
    EVP_CIPHER_CTX* context = state_->opening.get();
    const BytesView cipher = sealed.first(sealed.size() - tag_octets);
    Bytes tag = to_bytes(sealed.last(tag_octets));
    // One octet more, so that an empty text has an address, too.
    Bytes plain(cipher.size() + 1);
    int written = 0;
    bool done = EVP_DecryptInit_ex(context, nullptr, nullptr, nullptr, octets(nonce)) == 1;
    done = done && EVP_DecryptUpdate(context, nullptr, &written, octets(associated),
                                     static_cast<int>(associated.size())) == 1;
    done = done && EVP_DecryptUpdate(context, octets(plain.data()), &written, octets(cipher),
                                     static_cast<int>(cipher.size())) == 1;
    done = done && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, tag_octets, tag.data()) == 1;
    done = done && EVP_DecryptFinal_ex(context, octets(plain.data()) + written, &written) == 1;
    if (!done) return std::nullopt;
    plain.resize(cipher.size());
    return plain;
}

}  // namespace stile::crypto
