import Records
import Testing

/// Every expected number was printed by CPython 3.11's `random`.
@Suite("CPython's random numbers")
struct MersenneTwisterTests {
  @Test(
    "seeds give CPython's words",
    arguments: [
      (0, [0xd82c_07cd, 0x629f_6fbe, 0xc209_4cac]), (1, [0x2265_b1f5, 0x91b7_584a, 0xd8f1_6adf]),
      (100, [0x254a_9493, 0x75a3_adb3, 0x7476_1899]), (-100, [0x254a_9493, 0x75a3_adb3, 0x7476_1899]),
      (4_294_967_295, [0xa2a6_c909, 0x9e9c_04f4, 0x3404_e941]),
      (4_294_967_296, [0x1ced_31d7, 0x59ef_8bbc, 0x6af6_d506]),
      (1_099_511_640_121, [0x4f73_e61d, 0x596a_d57b, 0x1d69_a22f]),
      (Int.max, [0x510f_a39f, 0xa813_94c8, 0xa19a_35cb]),
      (-Int.max, [0x510f_a39f, 0xa813_94c8, 0xa19a_35cb]),
    ] as [(Int, [UInt32])])
  func words(_ seed: Int, _ expected: [UInt32]) {
    var generator = MersenneTwister(seed: seed)
    #expect(expected.map { _ in generator.next() } == expected)
  }

  @Test(
    "draws below a bound are CPython's",
    arguments: [
      (1, [0, 0, 0, 0]), (2, [1, 0, 1, 0]), (3, [1, 0, 1, 2]), (10, [5, 2, 6, 0]),
      (1 << 31, [1_390_851_128, 647_892_279, 1_695_753_998, 207_388_624]),
      ((1 << 32) - 1, [1_390_851_128, 4_071_050_724, 647_892_279, 1_695_753_998]),
      (1 << 32, [647_892_279, 2_795_742_288, 2_301_595_691, 2_179_419_893]),
      (1_000_000_000_000, [434_439_589_175, 54_335_349_840, 902_254_243_635, 105_380_810_795]),
      (
        1 << 62,
        [
          3_641_603_982_383_516_983, 445_363_681_616_962_640, 868_196_408_185_819_179,
          1_980_241_222_855_773_941,
        ]
      ),
      (
        Int.max,
        [
          8_742_514_861_359_412_280, 3_641_603_982_383_516_983, 445_363_681_616_962_640,
          7_574_918_311_415_852_851,
        ]
      ),
    ])
  func below(_ bound: Int, _ expected: [Int]) {
    var generator = MersenneTwister(seed: 7)
    #expect(expected.map { _ in generator.below(bound) } == expected)
  }

  @Test(
    "shuffles are CPython's",
    arguments: [
      (100, [0]), (100, [1, 0]), (100, [1, 4, 9, 0, 3, 8, 5, 6, 11, 10, 7, 2]),
      (100, [7, 15, 19, 0, 2, 3, 13, 9, 10, 17, 1, 8, 6, 16, 11, 12, 5, 18, 14, 4]),
      (0, [7, 8, 1, 5, 3, 4, 2, 0, 9, 6]), (12_345_678_901, [8, 7, 3, 1, 0, 4, 2, 6, 5, 9]),
    ])
  func shuffle(_ seed: Int, _ expected: [Int]) {
    var generator = MersenneTwister(seed: seed)
    var numbers = Array(expected.indices)
    generator.shuffle(&numbers)
    #expect(numbers == expected)
  }

  /// The digest is `h = (31 h + x) mod (2^61 - 1)` over the shuffled numbers.
  @Test(
    "a long shuffle is CPython's to the last position",
    arguments: [
      (3_436, 783_236_137_604_641_058), (30_607, 800_631_542_729_191_608),
    ])
  func longShuffle(_ count: Int, _ digest: Int) {
    var generator = MersenneTwister(seed: 100)
    var numbers = Array(0..<count)
    generator.shuffle(&numbers)
    let modulus = UInt64(1) << 61 - 1
    let found = numbers.reduce(UInt64(0)) { digest, number in
      let product = digest.multipliedFullWidth(by: 31)
      return modulus.dividingFullWidth((product.high, product.low &+ UInt64(number))).remainder
    }
    #expect(found == UInt64(digest))
  }

  @Test("an empty list is shuffled without a draw")
  func empty() {
    var generator = MersenneTwister(seed: 1)
    var none: [Int] = []
    generator.shuffle(&none)
    #expect(none.isEmpty && generator.next() == 0x2265_b1f5)
  }
}
