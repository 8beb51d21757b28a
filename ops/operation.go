// Package ops is what an operation is: a card that says what can be asked, and
// one function, Plan, that looks at the world (never touches it) and returns
// the list of steps that would be taken, each with its effects.
//
// The preview IS the run. A plan is data: it is shown, hashed, approved, stored,
// and then the very same value is walked, step by step. A step names the
// function of the card that does it (Step.Do), so a plan survives a restart of
// the bot: going on with a run that is under way needs the stored plan, not a
// second look at the world. That is why steps hold a name and not a closure; a
// closure dies with its process, and a log could then be followed further only
// after reading the whole organisation again.
//
// Effects bind: before steps that have effects are begun, the desk (package
// bot) plans afresh when the plan at hand is no longer fresh, and every effect
// must be one that was shown.
//
// The package imports the standard library only. It knows neither Slack nor AWS.
package ops

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Operation is the card of one operation. The zero value of a field means
// "none"; Validate says which fields may not be empty.
type Operation struct {
	Name    string // "scim-sync": stored in every request, so a promise
	Command string // "/scim-sync": the slash command
	Doc     string // the first line is the title; the rest explains

	// Usage lists the forms of the command for its help, in the order shown.
	Usage []Usage

	// Form is what to ask. The words of a command fill the first field that is
	// a List.
	Form []Field

	// Match finds what doesn't fit together in a form whose fields are right each
	// by itself, by the field's name. It must answer at once. Nil: nothing.
	Match func(Inputs) map[string]string

	// Approval is who must agree before a run. A plan may demand more.
	Approval Rule

	// Dangerous makes an approver type the plan's Target.
	Dangerous bool

	// Counts names the AWS actions whose calls by this operation count against a
	// quota: a plan finds those of the last 30 days in Request.Called.
	Counts []string

	// Split names the List field whose values become a request each, so that
	// the failure of one doesn't hold the others. Empty: one request.
	Split string

	// Access is what the operation may do in AWS. The zero value: nothing.
	Access Access

	// Lock names what at most one unfinished request may hold at a time.
	// Nil or an empty name: nothing. Previews hold no lock.
	Lock func(Request) string

	// Doubt is asked before anything is planned or shown to others: it says, as an
	// *Error, why the person may have meant something else than Inputs say, and how to
	// say it for certain. Nil: nothing is doubtful.
	Doubt func(context.Context, Request) error

	// Plan looks and never touches. What can't be planned is an *Error.
	Plan func(context.Context, Request, Progress) (Plan, error)

	// Do has the function of every step name that Plan may use, and Undo's.
	Do map[string]func(context.Context, Run) error

	// Undo names the function in Do that takes back what a run has done, offered
	// from the first effect on until something irreversible was done. It undoes only
	// what this request did and what still bears its mark. UndoLabel is what its
	// button says.
	Undo      string
	UndoLabel string

	// UndoPlan looks, and tells what Undo would do now, with exact IDs. A Refused
	// *Error says why it can't: somebody has acted on the target since. It has the
	// memory of the run, and writes nothing. Nil where there is no Undo.
	UndoPlan func(context.Context, Run) ([]string, error)

	// Again labels the button that has a run's work done again which people undid
	// by hand (an *Error of kind Lifted): "Quarantine again".
	Again string

	// Irreversible tells whether a call of AWS can't be taken back by Undo. Such a
	// call is asked about right before it is made, however soon after the last
	// question, and ends the offer to restore. Nil: every call is.
	Irreversible func(Call) bool

	// Subject is the e-mail address of the person whom a request is about, who may
	// not restore it. Nil, or an empty address: it is about nobody.
	Subject func(Request) string
}

// Access holds IAM policy documents, as JSON with ${…} where a value belongs.
// They are the single source: filled in they are the session policies of every
// call, as they are they become manifests/iam.
type Access struct {
	Look string // for planning and for reading back: reads only
	Act  string // for what a run changes
}

// Usage is one form of a command: "/scim-sync plan" and what it is for.
type Usage struct{ Form, For string }

// Field is one thing that is asked.
type Field struct {
	Name     string             // "people": the block_id of its form field, the key in Inputs
	Label    string             // "GitHub logins"
	Hint     string             // shown below the field
	List     bool               // several values
	Long     bool               // a text of several lines
	Agree    []string           // statements, all of which must be agreed to; the values are Agreed's
	Search   Search             // the value is chosen among what this finds; nil: it is typed
	Optional bool               // may be left empty
	Retype   bool               // it must be typed anew where what was given before is asked again, and counts as it is typed
	Check    func(string) error // nil: any value; an *Error says in words what is wrong

	// Read takes the values out of what was typed or pasted in a List field: people
	// paste more than the values, such as the names that e-mail addresses stand
	// behind. It gets texts as they came apart at commas, semicolons and white space,
	// and leaves what it doesn't understand for Check. Nil: they are the values.
	Read func([]string) []string
}

// Values are the values in what was typed in the field: Read, where the field has one.
func (f Field) Values(typed []string) []string {
	if f.Read == nil {
		return typed
	}
	return f.Read(typed)
}

// Agreed is the value of the i-th statement of a field, from 0, once somebody
// has agreed to it: "yes", "yes-2", "yes-3".
func Agreed(i int) string {
	if i == 0 {
		return "yes"
	}
	return "yes-" + strconv.Itoa(i+1)
}

// agreed tells whether the values are those of all statements, and no others.
func (f Field) agreed(values []string) bool {
	for i := range f.Agree {
		if !slices.Contains(values, Agreed(i)) {
			return false
		}
	}
	return len(values) == len(f.Agree)
}

// Search finds what can be chosen, by words that somebody has typed so far. r says
// who searches and for which operation. It must answer within a second or two, with
// all that it finds, the best first: the front end shows as many as it can, and how many
// more there are. It is asked again with every letter. An *Error says in words why there
// is nothing to choose from.
type Search func(ctx context.Context, r Request, words string) ([]Option, error)

// Option is one thing to choose.
type Option struct {
	Value string // empty: it can't be chosen, Text only says something
	Text  string // must tell it from its likes
	Note  string // shown below, smaller
}

// Inputs are the values given for the fields of a form.
type Inputs map[string][]string

// Rule says how many people must approve. The zero value: nobody.
type Rule struct {
	Count int    // members of the team other than the requester
	Why   string // why a plan demands it
}

// Request is what somebody asked for, as an operation sees it.
type Request struct {
	ID        string // UUID, in order of time
	Operation string
	By        string // GitHub login of who asked; goes to CloudTrail as SourceIdentity
	Inputs    Inputs
	Preview   bool // only the plan is wanted
	At        time.Time

	// Lease is the fencing token of the worker that this was given to: changes for
	// a request are refused once another worker holds it. Zero: no worker's.
	Lease int64

	// Called is when the actions that Operation.Counts names were called in the
	// last 30 days, by any request, as the audit has it. Set for a plan only.
	Called map[string][]time.Time

	// Shown is the plan that people were shown, where this is a second look
	// right before something is changed: effects must be looked for anew, facts
	// and warnings may be taken over. Nil: the first look.
	Shown *Plan
}

// Progress is told where a long look stands: "Identity Center: 12 of 40 groups".
// It may be called often and from several goroutines.
type Progress func(format string, args ...any)

// Title is the first line of Doc.
func (o Operation) Title() string {
	title, _, _ := strings.Cut(o.Doc, "\n")
	return title
}

var (
	operationName = regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)
	// Slack: commands are lower case, at most 32 characters, and begin with a slash.
	// https://docs.slack.dev/interactivity/implementing-slash-commands
	commandName = regexp.MustCompile(`^/[a-z][a-z0-9-]{0,30}$`)
)

// Validate finds the faults of a set of operations that a compiler can't:
// names that clash or can't be typed, cards without a plan.
func Validate(operations []Operation) error {
	names, commands := map[string]bool{}, map[string]bool{}
	for _, o := range operations {
		switch {
		case !operationName.MatchString(o.Name):
			return fmt.Errorf("operation %q: the name must be lower-case words joined by hyphens", o.Name)
		case !commandName.MatchString(o.Command):
			return fmt.Errorf("operation %s: %q can't be a slash command", o.Name, o.Command)
		case names[o.Name] || commands[o.Command]:
			return fmt.Errorf("operation %s: its name or command %s is taken", o.Name, o.Command)
		case o.Title() == "":
			return fmt.Errorf("operation %s: no Doc", o.Name)
		case o.Plan == nil:
			return fmt.Errorf("operation %s: no Plan", o.Name)
		case len(o.Do) == 0:
			return fmt.Errorf("operation %s: no Do", o.Name)
		}
		var fields []string
		for _, f := range o.Form {
			if f.Name == "" || f.Label == "" || slices.Contains(fields, f.Name) {
				return fmt.Errorf("operation %s: field %q needs a name of its own and a label", o.Name, f.Name)
			}
			fields = append(fields, f.Name)
		}
		if o.Undo != "" && (o.Do[o.Undo] == nil || o.UndoLabel == "") {
			return fmt.Errorf("operation %s: Undo needs a function in Do and a label", o.Name)
		}
		if (o.Undo != "") != (o.UndoPlan != nil) {
			return fmt.Errorf("operation %s: Undo and UndoPlan go together", o.Name)
		}
		if o.Split != "" && !slices.ContainsFunc(o.Form, func(f Field) bool { return f.Name == o.Split && f.List }) {
			return fmt.Errorf("operation %s: Split needs a List field %q", o.Name, o.Split)
		}
		names[o.Name], commands[o.Command] = true, true
	}
	return nil
}

// Words turns the words typed after a command into Inputs: they are the values
// of the form's first List field, each checked and named once. Words that no
// field takes, or that fail their check, are an Invalid *Error.
func (o Operation) Words(words []string) (Inputs, error) {
	inputs := Inputs{}
	if len(words) == 0 {
		return inputs, nil
	}
	i := slices.IndexFunc(o.Form, func(f Field) bool { return f.List })
	if i < 0 {
		return nil, &Error{Kind: Invalid, What: fmt.Sprintf("%s takes no %q.", o.Command, words[0])}
	}
	field := o.Form[i]
	for _, word := range field.Values(words) {
		if err := CheckText(word); err != nil {
			return nil, err
		}
		if field.Check != nil {
			if err := field.Check(word); err != nil {
				return nil, &Error{Kind: Invalid, What: err.Error()}
			}
		}
		if !slices.ContainsFunc(inputs[field.Name], func(w string) bool { return strings.EqualFold(w, word) }) {
			inputs[field.Name] = append(inputs[field.Name], word)
		}
	}
	return inputs, nil
}

// Asks tells whether the operation has something to ask that words alone
// don't answer: a form is needed.
func (o Operation) Asks() bool {
	return slices.ContainsFunc(o.Form, func(f Field) bool { return !f.Optional })
}

// Fill checks the values of a whole form, each field by itself. It returns the
// inputs, without empty values, doubles and the white space around values, and what
// is wrong by the field's name. The values of a Retype field stay as they were typed.
func (o Operation) Fill(values Inputs) (Inputs, map[string]string) {
	inputs, wrong := Inputs{}, map[string]string{}
	for _, f := range o.Form {
		if err := CheckText(strings.Join(values[f.Name], "\n")); err != nil {
			wrong[f.Name] = err.Error()
			continue
		}
		var kept []string
		for _, value := range f.Values(values[f.Name]) {
			if !f.Retype {
				value = strings.TrimSpace(value)
			}
			if Blank(value) {
				continue
			}
			if slices.ContainsFunc(kept, func(k string) bool { return k == value || f.List && strings.EqualFold(k, value) }) {
				wrong[f.Name] = value + " stands here twice."
				continue
			}
			if f.Check != nil {
				if err := f.Check(value); err != nil && wrong[f.Name] == "" {
					wrong[f.Name] = err.Error()
				}
			}
			kept = append(kept, value)
		}
		switch {
		case len(f.Agree) > 0:
			if (len(kept) > 0 || !f.Optional) && !f.agreed(kept) {
				wrong[f.Name] = "Please confirm this."
				if len(f.Agree) > 1 {
					wrong[f.Name] = "Please confirm all of it."
				}
			}
		case len(kept) == 0 && !f.Optional:
			wrong[f.Name] = "Please fill this in."
		case len(kept) > 1 && !f.List:
			wrong[f.Name] = "Only one value, please."
		}
		if len(kept) > 0 {
			inputs[f.Name] = kept
		}
	}
	for name := range values {
		if !slices.ContainsFunc(o.Form, func(f Field) bool { return f.Name == name }) {
			wrong[name] = "This wasn't asked."
		}
	}
	if len(wrong) == 0 && o.Match != nil {
		wrong = o.Match(inputs)
	}
	return inputs, wrong
}

// Fault is one thing that is wrong with an operation's settings.
type Fault struct {
	Key     string // the setting: "timeout"
	Problem string // "must be positive"
}
