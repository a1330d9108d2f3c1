import CImaging
import TestSupport

/// The kernels of decoding JPEG, from ordinary numbers to what only hostile files hold.
let jpegKernels: [Kernel] =
  [40, 900, 16_383].map { (most: Int) -> Kernel in
    Kernel("idct_8x8, coefficients up to \(most)") { set, n, memory in
      for _ in 0..<n {
        // From one coefficient to all of them.
        let kept = memory.random(1...64)
        let block = (0..<64).map { _ in Int16(memory.random(1...64) <= kept ? memory.random(-most...most) : 0)
        }
        let out = memory.output(UInt8.self, 64)
        let isSound = set.idct_8x8(out, 8, memory.input(block)) != 0
        memory.output(Bool.self, 1).pointee = isSound
        if !isSound { out.update(repeating: 0, count: 64) }
      }
    }
  } + [
    Kernel("widen") { set, n, memory in
      set.widen(memory.output(UInt8.self, 2 * n), memory.noise(n + 2) + 1, n)
    },
    Kernel("widen_between") { set, n, memory in
      set.widen_between(memory.output(UInt8.self, 2 * n), memory.noise(n + 2) + 1, memory.noise(n + 2) + 1, n)
    },
    Kernel("between") { set, n, memory in
      for bias in [1, 2] as [Int32] {
        set.between(memory.output(UInt8.self, n), memory.noise(n), memory.noise(n), bias, n)
      }
    },
    Kernel("ycc_to_rgb") { set, n, memory in
      set.ycc_to_rgb(memory.output(UInt8.self, 3 * n), memory.noise(n), memory.noise(n), memory.noise(n), n)
    },
    Kernel("grey_to_rgb") { set, n, memory in
      set.grey_to_rgb(memory.output(UInt8.self, 3 * n), memory.noise(n), n)
    },
  ]
