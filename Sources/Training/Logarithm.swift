import Glibc

/// Of a file of its own, as Glibc's names would hide many here.
func naturalLogarithm(_ value: Double) -> Double { log(value) }
