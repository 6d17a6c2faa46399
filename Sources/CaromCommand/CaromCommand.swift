import ArgumentParser

@main
struct CaromCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "carom")
}
