package chat_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws-root-account/rootbot/ops"
)

// tidy is an operation with one step.
func tidy(do func(context.Context, ops.Run) error) ops.Operation {
	return ops.Operation{
		Name: "tidy-up", Command: "/tidy-up", Doc: "Tidies up <shelves> & more\nIt dusts first.\nThen it sorts.",
		Usage: []ops.Usage{{Form: "/tidy-up", For: "all of it"}, {Form: "/tidy-up <login>…", For: "and tell of these people"}, {Form: "/tidy-up plan", For: "only look"}},
		Form: []ops.Field{{Name: "people", Label: "GitHub logins", List: true, Optional: true, Check: func(s string) error {
			switch s {
			case "panic":
				panic("secret")
			case "wr<o>ng":
				return errors.New("wr<o>ng can't be a login.")
			}
			return nil
		}}},
		Plan: func(context.Context, ops.Request, ops.Progress) (ops.Plan, error) {
			return ops.Plan{Summary: "Two shelves.", Steps: []ops.Step{{Do: "tidy", Title: "Tidy the shelf", Effects: []string{"dust of shelf 1"}}}}, nil
		},
		Do: map[string]func(context.Context, ops.Run) error{"tidy": do},
	}
}

// work is a step that logs and reports.
func work(ctx context.Context, run ops.Run) error {
	if err := run.Log(ctx, ops.Line{Key: "a", Text: "dusting"}, ops.Line{Key: "b", Text: "dusted", Level: ops.Change}); err != nil {
		return err
	}
	return run.Report(ctx, ops.Report{Summary: "All is tidy.", Sections: []ops.Section{{Title: "Shelf 1", Outcomes: []ops.Outcome{{Text: "dust", State: ops.Confirmed}}}}})
}

func broken(context.Context, ops.Run) error {
	return &ops.Error{Kind: ops.Unavailable, What: "No broom.", Next: "Buy one."}
}

func numbered(n int) []ops.Line {
	var lines []ops.Line
	for i := range n {
		lines = append(lines, ops.Line{Key: fmt.Sprint(i), Text: fmt.Sprintf("line %d.", i+1)})
	}
	return lines
}

// crew is a world with a memory: people who can be let go and taken back.
type crew struct {
	mu    sync.Mutex
	gone  map[string]int // how often each was let go
	back  map[string]int // how often each was taken back
	keys  []string       // found with everybody who is looked at
	looks int            // how often somebody was looked at
	by    []string       // who approved, as the last run saw it

	busy  chan bool // not nil: letting somebody go waits for it
	grace bool      // somebody let go may be taken back until the next day
	over  bool      // the time of grace is over
	words ops.Plan  // beside what a plan says of itself
	fault error     // of letting somebody go
}

func (c *crew) with(change func(*crew)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(c)
}

// runs is how often somebody was let go.
func (c *crew) runs(name string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.gone[name]
}

// letGo is an operation with a form, which people decide.
func (c *crew) letGo() ops.Operation {
	c.gone, c.back = map[string]int{}, map[string]int{}
	return ops.Operation{
		Name: "let-go", Command: "/let-go", Doc: "Let somebody go\nTakes their keys.",
		Usage: []ops.Usage{{Form: "/let-go [e-mail address…]", For: "ask for it, in a form"}},
		Form: []ops.Field{
			{Name: "emails", Label: "E-mail addresses", Hint: "One or more.", List: true, Check: func(s string) error {
				if !strings.Contains(s, "@") {
					return errors.New(s + " is no e-mail address.")
				}
				return nil
			}},
			{Name: "reason", Label: "Reason", Long: true},
			{Name: "ticket", Label: "Ticket", Optional: true},
			{Name: "confirmed", Label: "Other teams", Agree: []string{"I have asked their other teams"}},
		},
		Split: "emails",
		Plan:  c.plan,
		Do: map[string]func(context.Context, ops.Run) error{
			"go": c.run, "wait": c.wait, "return": c.undo,
		},
		Undo: "return", UndoLabel: "Restore", Again: "Let go again",
		UndoPlan: func(_ context.Context, run ops.Run) ([]string, error) {
			return []string{"give the badge back to " + run.Plan().Target}, nil
		},
	}
}

func (c *crew) plan(_ context.Context, r ops.Request, _ ops.Progress) (ops.Plan, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	name := strings.Join(r.Inputs["emails"], " ")
	c.looks++
	p := c.words
	p.Target, p.Summary = name, "Lets "+name+" go."
	if c.gone[name] > c.back[name] {
		p.Summary = name + " isn't here."
		return p, nil
	}
	p.Facts = append(slices.Clone(p.Facts), ops.Fact{Label: "Looked at", Value: fmt.Sprintf("%d times", c.looks)})
	p.Data = json.RawMessage(`{}`)
	effects := []string{"take the badge of " + name}
	for _, key := range c.keys {
		effects = append(effects, "take key "+key+" of "+name)
	}
	p.Steps = []ops.Step{{Do: "go", Title: "Let " + name + " go", Effects: effects}}
	if c.grace {
		p.Steps = append(p.Steps, ops.Step{Do: "wait", Title: "Wait in case of an error"})
	}
	return p, nil
}

func (c *crew) run(ctx context.Context, run ops.Run) error {
	c.mu.Lock()
	busy := c.busy
	c.mu.Unlock()
	if busy != nil {
		select {
		case <-busy:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	name := run.Plan().Target
	if err := run.Log(ctx, ops.Line{Key: "gone", Text: name + " is gone", Level: ops.Change}); err != nil {
		return err
	}
	if err := run.MayAct(ctx); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.by = run.Approvers()
	if c.fault != nil {
		return c.fault
	}
	c.gone[name]++
	return run.Report(ctx, ops.Report{Summary: name + " is gone.", Final: true, Sections: []ops.Section{{Title: name, Outcomes: []ops.Outcome{{Text: "badge", State: ops.Confirmed}}}}})
}

func (c *crew) wait(ctx context.Context, run ops.Run) error {
	c.mu.Lock()
	over := c.over
	c.mu.Unlock()
	if over {
		return nil
	}
	begun := run.Begun()
	if begun.IsZero() {
		begun = run.Now()
	}
	if err := run.OfferUndo(ctx, begun.Truncate(time.Hour).Add(24*time.Hour)); err != nil {
		return err
	}
	return ops.Again(100 * time.Millisecond)
}

func (c *crew) undo(_ context.Context, run ops.Run) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.back[run.Plan().Target]++
	return nil
}
