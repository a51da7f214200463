"""Other solvers on the same problems: PyVRP and OR-Tools' routing library, each stated as well as it can be."""
