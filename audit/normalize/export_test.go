package normalize

// IsClean says that Clean changes nothing.
func IsClean(path string) bool { return isClean(path) }

// Clean is what setURL makes of a path that is not clean.
func Clean(path string) string { return cleanPath(decode(path, false)) }
