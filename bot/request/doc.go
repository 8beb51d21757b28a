// Package request is what a request for an operation is, from the moment it is asked
// for to its end: its state, who decided about it, the events that are recorded of it,
// the messages that tell people of it, and the clicks that people answer with.
//
// It imports package ops alone. Package store keeps these values, package bot moves a
// request on, and a front end such as package chat draws it.
package request
