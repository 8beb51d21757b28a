package awstest

import "strings"

// glob is a pattern of a policy: * is any run of characters, ? is one. Both are kept apart from the same characters that
// came in through a policy variable, which stand for themselves.
type glob []rune

const (
	globRun rune = -1 - iota
	globOne
)

// globOf reads a pattern without variables.
func globOf(s string) glob {
	g := make(glob, 0, len(s))
	for _, r := range s {
		switch r {
		case '*':
			g = append(g, globRun)
		case '?':
			g = append(g, globOne)
		default:
			g = append(g, r)
		}
	}
	return g
}

// literal adds s as it is.
func (g glob) literal(s string) glob { return append(g, []rune(s)...) }

// match tells whether all of s fits.
func (g glob) match(s string) bool {
	text := []rune(s)
	i, j, star, mark := 0, 0, -1, 0
	for j < len(text) {
		switch {
		case i < len(g) && g[i] == globRun:
			star, mark = i, j
			i++
		case i < len(g) && (g[i] == globOne || g[i] == text[j]):
			i++
			j++
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	for i < len(g) && g[i] == globRun {
		i++
	}
	return i == len(g)
}

// String writes the pattern down again, for comparisons that know no wildcards.
func (g glob) String() string {
	var b strings.Builder
	for _, r := range g {
		switch r {
		case globRun:
			b.WriteByte('*')
		case globOne:
			b.WriteByte('?')
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// split cuts the pattern at its first n-1 colons, as an ARN is cut.
func (g glob) split(n int) []glob {
	var parts []glob
	from := 0
	for i, r := range g {
		if r == ':' && len(parts) < n-1 {
			parts = append(parts, g[from:i])
			from = i + 1
		}
	}
	return append(parts, g[from:])
}

// matchFold is match without regard to case, as IAM compares actions.
func matchFold(pattern, s string) bool {
	return globOf(strings.ToLower(pattern)).match(strings.ToLower(s))
}
