import Glibc

/// In a file of its own, because importing Glibc brings names into scope that clash with local ones.
func naturalLogarithm(_ value: Double) -> Double { log(value) }
