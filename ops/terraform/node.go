package terraform

import (
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
)

// node is a value in a JSON text, with the place where it stands: what hcl/v2 reads
// can't be cut out of a text by it.
type node struct {
	parent   *node
	kind     byte   // '{', '[', '"', or 0 for numbers and so on
	key      string // in its parent, if that is an object
	from     int    // where it begins in the text, its key included
	start    int    // where its value begins
	end      int    // where it ends
	text     string // of a string, as it reads
	children []*node
}

var errNotJSON = errors.New("not valid JSON")

// brokenAt is an error at an offset of a text.
type brokenAt struct{ offset int }

func (b brokenAt) Error() string { return errNotJSON.Error() }

// parseJSON reads a JSON text that may begin with a byte order mark. An error is a
// brokenAt.
func parseJSON(text string) (*node, error) {
	begin := len(text) - len(strings.TrimPrefix(text, "\ufeff"))
	p := &parser{text: text, begin: begin, decoder: json.NewDecoder(strings.NewReader(text[begin:]))}
	root, err := p.value(nil, 0)
	if err == nil {
		if _, more := p.decoder.Token(); more != io.EOF {
			err = errNotJSON
		}
	}
	if err != nil {
		return nil, brokenAt{min(p.at(), len(text))}
	}
	return root, nil
}

type parser struct {
	text    string
	begin   int // of what the decoder reads
	decoder *json.Decoder
}

// deepestJSON is how many values within each other are read.
const deepestJSON = 200

// at is where the next token begins.
func (p *parser) at() int {
	at := p.begin + int(p.decoder.InputOffset())
	return at + len(p.text[at:]) - len(strings.TrimLeft(p.text[at:], " \t\r\n,:"))
}

func (p *parser) value(parent *node, depth int) (*node, error) {
	if depth > deepestJSON {
		return nil, errNotJSON
	}
	n := &node{parent: parent, from: p.at()}
	n.start = n.from
	token, err := p.decoder.Token()
	if err != nil {
		return nil, err
	}
	switch token := token.(type) {
	case json.Delim:
		n.kind = byte(token)
		if err := p.children(n, depth); err != nil {
			return nil, err
		}
	case string:
		n.kind, n.text = '"', token
	}
	n.end = p.begin + int(p.decoder.InputOffset())
	return n, nil
}

func (p *parser) children(n *node, depth int) error {
	for p.decoder.More() {
		from, key := p.at(), ""
		if n.kind == '{' {
			token, err := p.decoder.Token()
			if err != nil {
				return err
			}
			key, _ = token.(string)
		}
		child, err := p.value(n, depth+1)
		if err != nil {
			return err
		}
		child.key, child.from = key, from
		n.children = append(n.children, child)
	}
	_, err := p.decoder.Token() // the end
	return err
}

// path is the keys that lead to a node. Lists don't count: Terraform takes a list of
// blocks for several blocks.
// https://developer.hashicorp.com/terraform/language/syntax/json#block-type-specific-exceptions
func (n *node) path() []string {
	var keys []string
	for ; n != nil; n = n.parent {
		if n.parent != nil && n.parent.kind == '{' {
			keys = append(keys, n.key)
		}
	}
	slices.Reverse(keys)
	return keys
}

// comment is the key that Terraform passes over.
// https://developer.hashicorp.com/terraform/language/syntax/json#comment-properties
const comment = "//"

// inComment tells whether a node is a comment, or in one.
func (n *node) inComment() bool { return slices.Contains(n.path(), comment) }

// each tells of a node and all within it.
func (n *node) each(tell func(*node)) {
	tell(n)
	for _, child := range n.children {
		child.each(tell)
	}
}

// textOf is the text that an object has under a key; empty: none.
func (n *node) textOf(key string) string {
	for _, child := range n.children {
		if child.key == key {
			return child.text
		}
	}
	return ""
}

// up is the node on the way to n whose path has so many keys.
func (n *node) up(keys int) *node {
	for n.parent != nil && (len(n.path()) > keys || n.parent.kind == '[' && len(n.parent.path()) == keys) {
		n = n.parent
	}
	return n
}

// whole returns the node to cut so that n goes: n, or the one around it that would be
// empty without n. The value of a key at the root stays. A comment goes with the one block that stands
// beside it in a list.
func (n *node) whole() *node {
	for p := n.parent; p != nil && len(p.path()) > 0; p = n.parent {
		rootValue := len(p.path()) == 1 && p.parent.kind == '{'
		var comments, others int
		for _, child := range p.children {
			switch {
			case child == n:
			case p.kind == '{' && child.key == comment:
				comments++
			default:
				others++
			}
		}
		if rootValue || others > 0 || comments > 0 && !p.inList() {
			return n
		}
		n = p
	}
	return n
}

func (n *node) inList() bool {
	for p := n.parent; p != nil; p = p.parent {
		if p.kind == '[' {
			return true
		}
	}
	return false
}

// extent is a piece of a text.
type extent struct{ start, end int }

// extent returns the piece of a text to cut so that a node goes, with the comma that
// then is too many. All else stays, byte by byte.
func (n *node) extent(text string) extent {
	all := n.parent.children
	e := extent{n.from, n.end}
	switch i := slices.Index(all, n); {
	case i < len(all)-1:
		e.end = all[i+1].from
	case i > 0:
		e.start = all[i-1].end
	default: // the only one: the space on both sides goes as well
		e.start = len(strings.TrimRight(text[:e.start], " \t\r\n"))
		e.end += len(text[e.end:]) - len(strings.TrimLeft(text[e.end:], " \t\r\n"))
	}
	return e
}
