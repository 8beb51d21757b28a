package request

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the chart into doc.go")

// chart draws the transitions that lead to another state, one line for each pair of
// states, for https://mermaid.js.org.
func chart() string {
	var b strings.Builder
	b.WriteString("//\tstateDiagram-v2\n//\t    [*] --> asked\n")
	type arrow struct{ from, to State }
	by := map[arrow][]string{}
	var order []arrow
	for _, row := range transitions {
		for _, from := range row.from {
			a := arrow{from, row.to}
			if row.to == "" || row.to == from {
				continue
			}
			if by[a] == nil {
				order = append(order, a)
			}
			if !slices.Contains(by[a], string(row.on)) {
				by[a] = append(by[a], string(row.on))
			}
		}
	}
	for _, a := range order {
		fmt.Fprintf(&b, "//\t    %s --> %s: %s\n", a.from, a.to, strings.Join(by[a], ", "))
	}
	return b.String()
}

func TestTheChartIsThatOfTheTransitions(t *testing.T) {
	const begin, end = "// # States\n//\n", "package request\n"
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	if !ok {
		t.Fatal("doc.go has no chart")
	}
	drawn, _, _ := strings.Cut(rest, end)
	if drawn == chart() {
		return
	}
	if !*update {
		t.Fatal("doc.go's chart isn't that of the transitions: run go generate ./bot/request")
	}
	if err := os.WriteFile("doc.go", []byte(before+begin+chart()+end), 0o644); err != nil {
		t.Fatal(err)
	}
}

// A row that an earlier one hides would never hold.
func TestEveryTransitionCanHold(t *testing.T) {
	type pair struct {
		from State
		on   EventKind
	}
	always := map[pair]bool{}
	for i, row := range transitions {
		for _, from := range row.from {
			p := pair{from, row.on}
			if always[p] {
				t.Errorf("row %d, of %s in %s, stands behind one that always holds", i+1, row.on, from)
			}
			always[p] = always[p] || row.when == nil
		}
	}
	for p, ok := range always {
		if !ok {
			t.Errorf("no row holds for certain for %s in %s", p.on, p.from)
		}
	}
}
