package scimsync

import (
	"fmt"
	"slices"
)

// altered is what the same users and groups, by their IDs, are now that they weren't
// before the run. The function neither renames nor disables, so no plan has it.
type altered struct {
	disabled []string // users, by their names for people, sorted
	users    []string // renamed: "mona is now otter", sorted
	groups   []string // renamed, sorted
}

func alterations(before, after Directory) altered {
	var a altered
	for id, was := range before.Users {
		is, kept := after.Users[id]
		if kept && is.Off && !was.Off {
			a.disabled = append(a.disabled, was.told())
		}
		if kept && is.told() != was.told() {
			a.users = append(a.users, was.told()+" is now "+is.told())
		}
	}
	for id := range before.Groups {
		if after.Groups[id] != "" && after.title(id) != before.title(id) {
			a.groups = append(a.groups, before.title(id)+" is now "+after.title(id))
		}
	}
	slices.Sort(a.disabled)
	slices.Sort(a.users)
	slices.Sort(a.groups)
	return a
}

// problem names the users who have lost access without being removed; empty: none has.
func (a altered) problem() string {
	if len(a.disabled) == 0 {
		return ""
	}
	was := "was"
	if len(a.disabled) > 1 {
		was = "were"
	}
	return fmt.Sprintf("While the sync ran, %s %s disabled, which was not in the plan, and can't sign in to AWS with SSO now.", some(a.disabled, 5), was)
}

// notes tell of new names, by which the next sync goes.
func (a altered) notes() []string {
	var list []string
	say := func(kind string, names []string) {
		if len(names) > 0 {
			list = append(list, fmt.Sprintf("While the sync ran, Identity Center got other names of %s: %s. The next sync goes by the new names.", kind, some(names, 5)))
		}
	}
	say("users", a.users)
	say("groups", a.groups)
	return list
}
