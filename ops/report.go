package ops

// Report is the outcome of a run as it was read back from the world, not as a
// log claims it.
type Report struct {
	Summary  string   `json:"summary"`
	Problems []string `json:"problems,omitempty"` // each makes the run a failure

	// Alarm says in whole sentences that something was taken away which nobody had
	// asked for, with the number, what probably happened and what to do. It makes
	// the run a failure, comes first, and calls the members of the team. Empty: no.
	Alarm string `json:"alarm,omitempty"`

	Sections []Section `json:"sections,omitempty"`

	// Final tells that nothing can be restored any more: what the run changed is gone.
	// It is set also where others did that, such as Terraform, and no call of the run's
	// own tells of it.
	Final bool `json:"final,omitempty"`

	Notes []string `json:"notes,omitempty"` // worth knowing, no failure
}

// Section groups outcomes: a team, a person.
type Section struct {
	Title    string    `json:"title"`
	Outcomes []Outcome `json:"outcomes,omitempty"`
}

// Outcome is one effect and what became of it.
type Outcome struct {
	Text  string `json:"text"`
	State Truth  `json:"state,omitempty"`
	Why   string `json:"why,omitempty"`
}

// Truth is how far an effect is known to have happened.
type Truth string

// The zero Truth is a plain fact that needed nothing done.
const (
	Confirmed Truth = "confirmed"
	Missing   Truth = "attempted but not there"
	Failed    Truth = "failed"
	NotKnown  Truth = "not known"       // it couldn't be read; Why says why
	Beyond    Truth = "not in the plan" // taken away though nobody had been shown that
)

// OK tells whether everything happened that should have, and nothing was taken
// away besides.
func (r Report) OK() bool {
	return len(r.Problems) == 0 && r.Alarm == "" && r.Count(Missing)+r.Count(Failed)+r.Count(NotKnown)+r.Count(Beyond) == 0
}

// Count tells how many outcomes have the state.
func (r Report) Count(state Truth) int {
	n := 0
	for _, s := range r.Sections {
		for _, o := range s.Outcomes {
			if o.State == state {
				n++
			}
		}
	}
	return n
}
