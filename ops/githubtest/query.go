package githubtest

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// query is a GraphQL query, parsed: one operation, without aliases, fragments, directives, lists and input objects.
// https://spec.graphql.org/October2021/#sec-Language
type query struct {
	name      string
	variables []variable
	fields    []*selection
	at        position
}

// label is how errors call the operation, and path how their paths begin.
func (q *query) label() string {
	if q.name == "" {
		return "anonymous query"
	}
	return q.name
}

func (q *query) path() []any { return []any{strings.TrimSpace("query " + q.name)} }

// position is a place in a query, from 1.
type position struct{ line, column int }

// variable is one that a query declares.
type variable struct {
	name, kind string
	required   bool
	otherwise  literal // set where it has a default
	defaulted  bool
	at         position
}

// written is the variable's type as a query writes it.
func (v variable) written() string {
	if v.required {
		return v.kind + "!"
	}
	return v.kind
}

// selection is a field that a query asks for.
type selection struct {
	name      string
	arguments []argument
	fields    []*selection
	braces    bool // it has a selection set
	at        position
}

type argument struct {
	name  string
	value literal
	at    position
}

// literal is a value in a query: nil, a string, an int64, a float64, a bool or an enum's word; or a variable.
type literal struct {
	value    any
	text     string
	variable string
}

// word is an enum's value.
type word string

// lexeme is a piece of a query: a kind as GitHub's errors call it, and the text.
type lexeme struct {
	kind, text string
	at         position
}

var (
	lexemes = regexp.MustCompile(`^(?:([ \t\r\n,\x{FEFF}]+|#[^\n\r]*)|([_A-Za-z][_0-9A-Za-z]*)|(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)|("""(?s:.*?)""")|("(?:[^"\\\n\r]|\\.)*")|(\.\.\.|[!$&()\[\]{}:=@|]))`)
	signs   = map[string]string{
		"...": "ELLIPSIS", "!": "BANG", "$": "VAR_SIGN", "&": "AMP", "(": "LPAREN", ")": "RPAREN", "[": "LBRACKET",
		"]": "RBRACKET", "{": "LCURLY", "}": "RCURLY", ":": "COLON", "=": "EQUALS", "@": "DIR_SIGN", "|": "PIPE",
	}
)

// parser reads a query from left to right. After the first error it sees nothing but the end.
type parser struct {
	rest string
	at   position
	next lexeme
	err  *graphError
}

// parseQuery reads a query, or says what GitHub says of one that can't be read, or what isn't known here.
func parseQuery(text string) (*query, *graphError) {
	p := &parser{rest: text, at: position{1, 1}}
	p.step()
	q := p.operation()
	if p.err == nil && p.next.kind != "" {
		p.unknown("more than one operation, and fragments")
	}
	return q, p.err
}

// step moves to the next lexeme; its kind is empty at the end.
func (p *parser) step() {
	for {
		p.next = lexeme{at: p.at}
		if p.err != nil || p.rest == "" {
			return
		}
		found := lexemes.FindStringSubmatch(p.rest)
		if found == nil {
			r, _ := utf8.DecodeRuneInString(p.rest)
			p.next.kind, p.next.text = "UNKNOWN_CHAR", string(r)
			return
		}
		for i, kind := range []string{"", "IDENTIFIER", "INT", "BLOCK", "STRING", signs[found[6]]} {
			if found[i+1] != "" {
				p.next.kind, p.next.text = kind, found[i+1]
			}
		}
		p.rest = p.rest[len(found[0]):]
		p.move(found[0])
		if p.next.kind != "" {
			return
		}
	}
}

func (p *parser) move(text string) {
	if lines := strings.Count(text, "\n"); lines > 0 {
		p.at.line += lines
		p.at.column = 1
		text = text[strings.LastIndexByte(text, '\n')+1:]
	}
	p.at.column += utf8.RuneCountInString(text)
}

// is reports whether the next lexeme is of that kind, and moves past it if so.
func (p *parser) is(kind string) bool {
	if p.next.kind != kind {
		return false
	}
	p.step()
	return true
}

// want is is, and an error where it isn't.
func (p *parser) want(kind string) string {
	text := p.next.text
	if !p.is(kind) {
		p.expected(kind)
		return ""
	}
	return text
}

func (p *parser) expected(kind string) {
	message := fmt.Sprintf("Expected %s, actual: %s (%q) at [%d, %d]", kind, p.next.kind, p.next.text, p.next.at.line, p.next.at.column)
	if p.next.kind == "" {
		message = "Unexpected end of document"
	}
	p.fail(&graphError{message: message, at: p.next.at})
}

func (p *parser) unknown(what string) {
	p.fail(&graphError{message: "githubtest doesn't know " + what, at: p.next.at, unknown: true})
}

func (p *parser) fail(err *graphError) {
	if p.err == nil {
		p.err = err
	}
	p.next = lexeme{at: p.next.at}
}

func (p *parser) operation() *query {
	q := &query{at: p.next.at}
	if p.next.kind == "IDENTIFIER" {
		if p.next.text != "query" {
			p.unknown(p.next.text)
		}
		p.step()
		if p.next.kind == "IDENTIFIER" {
			q.name = p.want("IDENTIFIER")
		}
		if p.is("LPAREN") {
			for more := true; more; more = p.next.kind == "VAR_SIGN" {
				q.variables = append(q.variables, p.variable())
			}
			p.want("RPAREN")
		}
		p.directives()
	}
	q.fields = p.selections()
	return q
}

func (p *parser) variable() variable {
	v := variable{at: p.next.at}
	p.want("VAR_SIGN")
	v.name = p.want("IDENTIFIER")
	p.want("COLON")
	if p.next.kind == "LBRACKET" {
		p.unknown("variables that are lists")
	}
	v.kind = p.want("IDENTIFIER")
	v.required = p.is("BANG")
	if p.is("EQUALS") {
		v.defaulted, v.otherwise = true, p.literal()
	}
	return v
}

func (p *parser) directives() {
	if p.next.kind == "DIR_SIGN" {
		p.unknown("directives")
	}
}

func (p *parser) selections() []*selection {
	p.want("LCURLY")
	var list []*selection
	for more := true; more; more = p.err == nil && p.next.kind != "RCURLY" {
		list = append(list, p.selection())
	}
	p.want("RCURLY")
	return list
}

func (p *parser) selection() *selection {
	if p.next.kind == "ELLIPSIS" {
		p.unknown("fragments")
	}
	f := &selection{at: p.next.at}
	f.name = p.want("IDENTIFIER")
	if p.next.kind == "COLON" {
		p.unknown("aliases")
	}
	if p.is("LPAREN") {
		for more := true; more; more = p.next.kind == "IDENTIFIER" {
			a := argument{at: p.next.at}
			a.name = p.want("IDENTIFIER")
			p.want("COLON")
			a.value = p.literal()
			f.arguments = append(f.arguments, a)
		}
		p.want("RPAREN")
	}
	p.directives()
	if f.braces = p.next.kind == "LCURLY"; f.braces {
		f.fields = p.selections()
	}
	return f
}

func (p *parser) literal() literal {
	l := literal{text: p.next.text}
	switch p.next.kind {
	case "VAR_SIGN":
		p.step()
		l.variable = p.want("IDENTIFIER")
		return l
	case "STRING":
		if err := json.Unmarshal([]byte(l.text), &l.value); err != nil {
			p.fail(&graphError{message: "Bad string literal " + l.text, at: p.next.at})
		}
	case "INT":
		whole, err := strconv.ParseInt(l.text, 10, 32)
		if l.value = whole; err != nil {
			l.value, _ = strconv.ParseFloat(l.text, 64)
		}
	case "IDENTIFIER":
		switch l.text {
		case "true", "false":
			l.value = l.text == "true"
		case "null":
		default:
			l.value = word(l.text)
		}
	case "BLOCK", "LBRACKET", "LCURLY":
		p.unknown("block strings, lists and input objects")
	default:
		p.expected("a value")
	}
	p.step()
	return l
}
