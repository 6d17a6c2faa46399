# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0

require 'asciidoctor'

# A manual page is 80 columns wide, and our tables are not: each row becomes an entry of a list, of its first cell (in
# tables of directives with the second one, the value) and what the others say.
Asciidoctor::Extensions.register do
  tree_processor do
    process do |document|
      document.find_by(context: :table).each do |table|
        list = Asciidoctor::List.new table.parent, :dlist
        table.rows.body.each do |row|
          name, *others = row.map { |cell| cell.source.strip }
          meaning = others.pop
          name = "*#{name}*"
          if others.length >= 2
            value, default, reload = others
            name += " #{value}"
            meaning += " Default: #{default}." unless ['none', 'required', ''].include? default
            meaning += ' Required.' if default == 'required'
            meaning += ' Needs a restart.' if reload == 'restart'
          else
            meaning = [*others.reject(&:empty?), meaning].join ': '
          end
          term = Asciidoctor::ListItem.new list, name
          list.items << [[term], Asciidoctor::ListItem.new(list, meaning)]
        end
        blocks = table.parent.blocks
        blocks[blocks.index table] = list
      end
      document
    end
  end
end
