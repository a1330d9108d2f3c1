import Glibc

/// Inputs and outputs whose last byte lies before a page that must not be touched: reading or writing past the end is a
/// crash, not a lucky guess. Before each output lie bytes that must not change.
public final class GuardedMemory {
  private var generator: SplitMix64
  private let padding: Int
  private var mappings: [UnsafeMutableRawBufferPointer] = []
  private var written: [UnsafeMutableRawBufferPointer] = []
  private static let page = sysconf(Int32(_SC_PAGESIZE))
  private static let borderByteCount = 64
  public static let border: UInt8 = 0xa5

  /// - Parameter padding: elements between the end of each array and the page.
  public init(seed: UInt64, padding: Int) {
    generator = SplitMix64(seed: seed)
    self.padding = padding
  }

  deinit { for mapping in mappings { munmap(mapping.baseAddress, mapping.count) } }

  public func random(_ range: ClosedRange<Int>) -> Int { .random(in: range, using: &generator) }

  /// - Parameter slack: bytes after the values that may be read.
  public func input<Value: BitwiseCopyable>(_ values: [Value], slack: Int = 0) -> UnsafePointer<Value> {
    let start = allocate(Value.self, values.count, slack: slack)
    start.initialize(from: values, count: values.count)
    return UnsafePointer(start)
  }

  public func noise(_ count: Int, slack: Int = 0) -> UnsafePointer<UInt8> {
    input(generator.bytes(count), slack: slack)
  }

  public func output<Value: BitwiseCopyable>(_: Value.Type, _ count: Int) -> UnsafeMutablePointer<Value> {
    let start = allocate(Value.self, count, slack: 0)
    written.append(UnsafeMutableRawBufferPointer(UnsafeMutableBufferPointer(start: start, count: count)))
    return start
  }

  /// The bytes of each output.
  public var outputs: [[UInt8]] { written.map { Array($0) } }

  /// The bytes round the outputs.
  public var borders: [UInt8] {
    written.flatMap { output -> [UInt8] in
      guard let start = output.baseAddress else { return [] }
      return Array(UnsafeRawBufferPointer(start: start - Self.borderByteCount, count: Self.borderByteCount))
    }
  }

  private func allocate<Value: BitwiseCopyable>(
    _: Value.Type, _ count: Int, slack: Int
  ) -> UnsafeMutablePointer<Value> {
    let size = count * MemoryLayout<Value>.stride
    let padded = size + slack + padding * MemoryLayout<Value>.stride
    let usable = (Self.borderByteCount + padded + Self.page - 1) / Self.page * Self.page
    let address = mmap(
      nil, usable + Self.page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let address, address != MAP_FAILED, mprotect(address + usable, Self.page, PROT_NONE) == 0 else {
      preconditionFailure("memory can be mapped")
    }
    mappings.append(UnsafeMutableRawBufferPointer(start: address, count: usable + Self.page))
    memset(address, Int32(Self.border), usable)
    return (address + usable - padded).bindMemory(to: Value.self, capacity: count)
  }
}
