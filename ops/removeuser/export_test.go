package removeuser

// RemoveFrom takes a user out of the texts of the two files, in memory; found
// tells whether the user was in the one, and in the other.
func RemoveFrom(users, members, name string) (newUsers, newMembers string, inUsers, inMembers bool, err error) {
	e, err := removeFrom(users, members, name)
	return e.users, e.members, e.inUsers, e.inMembers, err
}
