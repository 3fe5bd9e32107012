// ZeroedArray: a fixed number of elements that begin as zero bytes.
//
// For large tables that are usually mostly empty: the kernel provides a page when it is written for
// the first time (mmap(2), MAP_ANONYMOUS), so unused pages cost neither memory nor time.
// Single-threaded.
#pragma once

#include <sys/mman.h>

#include <cassert>
#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>

namespace portcullis::sensor_track {

template <class T>
class ZeroedArray {
    // Elements are neither constructed nor destroyed.
    static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

  public:
    // Throws std::bad_alloc. REQUIRES: size > 0; zero bytes are an element, or none is read before
    // it was written.
    explicit ZeroedArray(std::size_t size) : elements_(map(size), Unmap{size}) {}

    std::size_t size() const { return elements_.get_deleter().size; }
    T& operator[](std::size_t index) {
        assert(index < size());
        return elements_.get()[index];
    }
    const T& operator[](std::size_t index) const {
        assert(index < size());
        return elements_.get()[index];
    }

    // All zero again. Throws std::bad_alloc.
    void clear() { *this = ZeroedArray(size()); }

  private:
    struct Unmap {
        std::size_t size = 0;
        void operator()(T* elements) const { ::munmap(elements, size * sizeof(T)); }
    };
    static T* map(std::size_t size) {
        void* memory = ::mmap(nullptr, size * sizeof(T), PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) {
            throw std::bad_alloc();
        }
        return static_cast<T*>(memory);
    }

    std::unique_ptr<T, Unmap> elements_;
};

}  // namespace portcullis::sensor_track
