import COpenBLAS

/// Products of matrices by OpenBLAS, on the calling thread alone: `Workers` owns the threads.
enum Gemm {
  /// OpenBLAS would otherwise split each product over threads of its own.
  private static let isSingleThreaded: Void = openblas_set_num_threads(1)

  /// How many threads OpenBLAS uses for a product.
  static var threadCount: Int { Int(openblas_get_num_threads()) }

  /// Writes the product of two row-major matrices: `out` = `left` x `right`.
  ///
  /// - Parameters:
  ///   - left: `rows` x `inner` numbers; `inner` x `rows` if `leftIsTransposed`.
  ///   - right: `inner` x `columns` numbers; `columns` x `inner` if `rightIsTransposed`.
  ///   - out: `rows` x `columns` numbers, which are overwritten and never read.
  /// - Precondition: each span has exactly that many numbers.
  /// - Complexity: O(rows * inner * columns); allocates nothing but OpenBLAS's buffer, which is kept from call to call.
  static func multiply(
    _ left: Span<Float>, leftIsTransposed: Bool = false, _ right: Span<Float>,
    rightIsTransposed: Bool = false,
    into out: inout MutableSpan<Float>,
    rows: Int, inner: Int, columns: Int
  ) {
    precondition(left.count == rows * inner, "the left matrix has \(rows) x \(inner) numbers")
    precondition(right.count == inner * columns, "the right matrix has \(inner) x \(columns) numbers")
    precondition(out.count == rows * columns, "the product has \(rows) x \(columns) numbers")
    guard rows > 0, columns > 0 else { return }
    guard inner > 0 else {
      for index in out.indices { out[index] = 0 }
      return
    }
    _ = isSingleThreaded
    unsafe left.withUnsafeBufferPointer { left in
      unsafe right.withUnsafeBufferPointer { right in
        unsafe out.withUnsafeMutableBufferPointer { out in
          unsafe cblas_sgemm(
            CblasRowMajor, leftIsTransposed ? CblasTrans : CblasNoTrans,
            rightIsTransposed ? CblasTrans : CblasNoTrans,
            blasint(rows), blasint(columns), blasint(inner),
            1, left.baseAddress, blasint(leftIsTransposed ? rows : inner), right.baseAddress,
            blasint(rightIsTransposed ? inner : columns),
            0, out.baseAddress, blasint(columns))
        }
      }
    }
  }
}
