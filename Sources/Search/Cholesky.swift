import COpenBLAS
import Glibc

/// The Cholesky factor L of a symmetric positive definite matrix, A = L L^T, by OpenBLAS's LAPACK on the calling thread.
struct Cholesky {
  let size: Int
  /// `size` x `size` numbers, column by column; what is above the diagonal has no meaning.
  private let factor: [Double]

  /// OpenBLAS would split each product over threads of its own.
  private static let isSingleThreaded: Void = openblas_set_num_threads(1)

  /// - Parameter matrix: `size` x `size` numbers; only those on and below the diagonal (column by column) are read.
  /// - Returns: `nil` where the matrix is not positive definite, as one with NaN.
  /// - Complexity: O(size^3).
  init?(_ matrix: [Double], size: Int) {
    precondition(matrix.count == size * size, "the matrix has \(size) x \(size) numbers")
    _ = Self.isSingleThreaded
    self.size = size
    var matrix = matrix
    guard size > 0 else {
      factor = matrix
      return
    }
    var info: blasint = 0
    var triangle = CChar(UInt8(ascii: "L"))
    var count = blasint(size)
    var stride = count
    unsafe matrix.withUnsafeMutableBufferPointer { matrix in
      unsafe dpotrf_(&triangle, &count, matrix.baseAddress, &stride, &info)
    }
    // OpenBLAS's own kernels pass over NaN.
    guard info == 0, (0..<size).allSatisfy({ matrix[$0 * (size + 1)] > 0 }) else { return nil }
    factor = matrix
  }

  /// log |A|.
  var logDeterminant: Double {
    var sum = 0.0
    for index in 0..<size { sum += log(factor[index * (size + 1)]) }
    return 2 * sum
  }

  /// L^-1 B in place, of `columns` columns of `size` numbers.
  func solveLower(_ columns: inout [Double]) { solve(&columns, CblasNoTrans) }

  /// L^-T B in place.
  func solveUpper(_ columns: inout [Double]) { solve(&columns, CblasTrans) }

  /// A^-1 b.
  func solved(_ right: [Double]) -> [Double] {
    var right = right
    solveLower(&right)
    solveUpper(&right)
    return right
  }

  /// L b.
  func times(_ right: [Double]) -> [Double] {
    (0..<size).map { row in (0...row).reduce(0) { $0 + factor[$1 * size + row] * right[$1] } }
  }

  /// A^-1, all of it.
  var inverse: [Double] {
    var columns = [Double](repeating: 0, count: size * size)
    for index in 0..<size { columns[index * (size + 1)] = 1 }
    solveLower(&columns)
    solveUpper(&columns)
    return columns
  }

  private func solve(_ columns: inout [Double], _ transpose: CBLAS_TRANSPOSE) {
    guard size > 0, !columns.isEmpty else { return }
    precondition(columns.count % size == 0, "columns of \(size) numbers")
    let count = columns.count / size
    unsafe factor.withUnsafeBufferPointer { factor in
      unsafe columns.withUnsafeMutableBufferPointer { columns in
        if count == 1 {
          unsafe cblas_dtrsv(
            CblasColMajor, CblasLower, transpose, CblasNonUnit, blasint(size), factor.baseAddress,
            blasint(size),
            columns.baseAddress, 1)
        } else {
          unsafe cblas_dtrsm(
            CblasColMajor, CblasLeft, CblasLower, transpose, CblasNonUnit, blasint(size), blasint(count), 1,
            factor.baseAddress, blasint(size), columns.baseAddress, blasint(size))
        }
      }
    }
  }
}
