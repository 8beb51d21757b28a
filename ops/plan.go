package ops

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
)

// Plan is what would be done, in full, with exact IDs. It is plain data.
type Plan struct {
	Summary  string   `json:"summary"`          // one line
	Target   string   `json:"target,omitempty"` // what the plan is about, by its name; for the approver of a dangerous plan to type
	Facts    []Fact   `json:"facts,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
	Steps    []Step   `json:"steps"` // none: there is nothing to do, and Summary says why

	// Approval is what this plan demands beyond the operation's own rule.
	Approval Rule `json:"approval,omitzero"`

	// Terms are the settings that the approval is about, such as the time of grace
	// and what is protected, as they were when the plan was made. Steps go by these,
	// not by the settings of the day, and a plan made again with other terms must be
	// approved again.
	Terms []Fact `json:"terms,omitempty"`

	// Data is for the steps: what Plan saw and a step needs, such as names that
	// can't be read any more once their owners are deleted.
	Data json.RawMessage `json:"data,omitempty"`
}

// Fact is one thing that whoever decides should know.
type Fact struct {
	Label string `json:"label"`
	Value string `json:"value"`
}

// Step is one part of a run.
type Step struct {
	Do      string   `json:"do"`                // the function in Operation.Do
	Title   string   `json:"title"`             // "Invoke aws-sso-scim-github"
	Effects []string `json:"effects,omitempty"` // what changes in the world, each with exact IDs; none: it only looks
}

// Digest names the plan: the SHA-256 of its JSON form, in hex. Reviews and
// buttons carry it.
func (p Plan) Digest() string {
	text, err := json.Marshal(p)
	if err != nil {
		// Only Data could fail to encode, and it is JSON when it comes from json.Marshal.
		panic(fmt.Sprintf("ops: encode plan: %v", err))
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// Effects are those of all steps, in order.
func (p Plan) Effects() []string {
	var effects []string
	for _, s := range p.Steps {
		effects = append(effects, s.Effects...)
	}
	return effects
}

// Beyond returns the effects of p that are not among those of shown: what
// nobody has been shown yet.
func (p Plan) Beyond(shown Plan) []string {
	known := map[string]bool{}
	for _, e := range shown.Effects() {
		known[e] = true
	}
	return slices.DeleteFunc(p.Effects(), func(e string) bool { return known[e] })
}

// NewTerms returns how the terms of p differ from those of shown, in words: "Time
// of grace: 14 days, now 1 hour".
func (p Plan) NewTerms(shown Plan) []string {
	value := func(terms []Fact, label string) string {
		for _, t := range terms {
			if t.Label == label {
				return t.Value
			}
		}
		return "not set"
	}
	var changed []string
	for _, t := range p.Terms {
		if was := value(shown.Terms, t.Label); was != t.Value {
			changed = append(changed, fmt.Sprintf("%s: %s, now %s", t.Label, was, t.Value))
		}
	}
	for _, t := range shown.Terms {
		if value(p.Terms, t.Label) == "not set" && t.Value != "not set" {
			changed = append(changed, fmt.Sprintf("%s: %s, now not set", t.Label, t.Value))
		}
	}
	return changed
}

// Check finds what the desk could not carry out: steps that the operation can't
// do, and a dangerous plan that nobody could approve.
func (o Operation) Check(p Plan) error {
	if o.Dangerous && len(p.Steps) > 0 && p.Target == "" {
		return fmt.Errorf("operation %s: it is dangerous, and its plan has no target that an approver could type", o.Name)
	}
	for _, s := range p.Steps {
		if o.Do[s.Do] == nil {
			return fmt.Errorf("operation %s: the plan has a step %q that the card can't do", o.Name, s.Do)
		}
	}
	return nil
}

// WithoutData is the plan as people see it.
func (p Plan) WithoutData() Plan {
	p.Data = nil
	return p
}
